/* SPDX-License-Identifier: MIT
 *
 * Rectangles, discs and seven-segment digits on a canvas of red, green, blue; libjpeg writes the
 * file. It knows nothing of cameras or of where the picture goes.
 */
#include "tests/simulator/sim_draw.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

#define FRAME_BYTES  ((size_t)FRAME_WIDTH * FRAME_HEIGHT * 3)
#define JPEG_QUALITY 85

static void draw_point(unsigned char *frame, int x, int y, unsigned colour)
{
    if (x < 0 || y < 0 || x >= FRAME_WIDTH || y >= FRAME_HEIGHT)
        return;
    unsigned char *pixel = frame + ((size_t)y * FRAME_WIDTH + (size_t)x) * 3;
    pixel[0] = (unsigned char)(colour >> 16);
    pixel[1] = (unsigned char)(colour >> 8);
    pixel[2] = (unsigned char)colour;
}

static void draw_box(unsigned char *frame, int x, int y, int width, int height, unsigned colour)
{
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            draw_point(frame, column, row, colour);
}

static void draw_disc(unsigned char *frame, int x, int y, int radius, unsigned colour)
{
    for (int row = -radius; row <= radius; row++)
        for (int column = -radius; column <= radius; column++)
            if (row * row + column * column <= radius * radius)
                draw_point(frame, x + column, y + row, colour);
}

/* Seven segments of a digit, bit 0 first: top, upper left, upper right, middle, lower left, lower
 * right, bottom. */
static const unsigned char segments[10] = {0x77, 0x24, 0x5d, 0x6d, 0x2e,
                                           0x6b, 0x7b, 0x25, 0x7f, 0x6f};
static const struct {
    int x, y, width, height;
} segment_box[7] = {
    {2, 0, 10, 3},  {0, 2, 3, 10},   {11, 2, 3, 10}, {2, 11, 10, 3},
    {0, 13, 3, 10}, {11, 13, 3, 10}, {2, 22, 10, 3},
};

static void draw_text(unsigned char *frame, int x, int y, const char *text, unsigned colour)
{
    for (; *text != '\0'; text++, x += 18) {
        if (*text == ':') {
            draw_box(frame, x + 5, y + 6, 4, 4, colour);
            draw_box(frame, x + 5, y + 16, 4, 4, colour);
        } else if (*text == '-') {
            draw_box(frame, x + 2, y + 11, 10, 3, colour);
        } else if (*text >= '0' && *text <= '9') {
            for (int i = 0; i < 7; i++)
                if (segments[*text - '0'] & (1u << i))
                    draw_box(frame, x + segment_box[i].x, y + segment_box[i].y,
                             segment_box[i].width, segment_box[i].height, colour);
        }
    }
}

static void draw_scene(unsigned char *frame, int64_t wall_ms, unsigned number)
{
    draw_box(frame, 0, 0, FRAME_WIDTH, 380, 0xc9b79c);
    for (int y = 0; y < 380; y += 24)
        draw_box(frame, 0, y, FRAME_WIDTH, 2, 0xb5a183);
    draw_box(frame, 0, 380, FRAME_WIDTH, 100, 0x7d7f7d);
    draw_box(frame, 210, 60, 220, 330, 0x3a2416);
    draw_box(frame, 222, 72, 196, 318, 0x6b3f22);
    draw_box(frame, 240, 92, 160, 110, 0x54301a);
    draw_box(frame, 240, 226, 160, 140, 0x54301a);
    draw_disc(frame, 400, 216, 8, 0xd9b64a);
    const int x = 100 + (int)(number * 67 % 420);
    draw_box(frame, x - 26, 300, 20, 130, 0x20242c);
    draw_box(frame, x + 6, 300, 20, 130, 0x20242c);
    draw_box(frame, x - 36, 190, 72, 130, 0x2d3a55);
    draw_disc(frame, x, 156, 32, 0xd8a480);
    draw_box(frame, x - 34, 122, 68, 20, 0x191919);
    draw_disc(frame, x - 11, 154, 4, 0x191919);
    draw_disc(frame, x + 11, 154, 4, 0x191919);

    const time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    char text[40];
    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    draw_box(frame, 8, 438, 356, 36, 0x000000);
    draw_text(frame, 16, 444, text, 0xf2f2f2);
}

unsigned char *draw_raw(int64_t wall_ms, unsigned number, size_t *len)
{
    unsigned char *frame = malloc(FRAME_BYTES);
    if (frame == NULL)
        return NULL;
    draw_scene(frame, wall_ms, number);
    for (size_t i = 0; i < FRAME_BYTES; i += 3) {
        const unsigned char red = frame[i];
        frame[i] = frame[i + 2];
        frame[i + 2] = red;
    }
    *len = FRAME_BYTES;
    return frame;
}

struct jpeg_fault {
    struct jpeg_error_mgr manager;
    jmp_buf back;
};

/* The library's own would end the process. */
static void on_jpeg_error(j_common_ptr jpeg)
{
    struct jpeg_fault *fault = (struct jpeg_fault *)(void *)jpeg->err;
    longjmp(fault->back, 1);
}

/* False when the library gave up; *out may be set all the same. */
static bool jpeg_write(unsigned char *frame, unsigned char **out, unsigned long *size)
{
    struct jpeg_fault fault;
    struct jpeg_compress_struct jpeg;
    jpeg.err = jpeg_std_error(&fault.manager);
    fault.manager.error_exit = on_jpeg_error;
    if (setjmp(fault.back) != 0) {
        jpeg_destroy_compress(&jpeg);
        return false;
    }
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, out, size);
    jpeg.image_width = FRAME_WIDTH;
    jpeg.image_height = FRAME_HEIGHT;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, JPEG_QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = frame + (size_t)jpeg.next_scanline * FRAME_WIDTH * 3;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return true;
}

unsigned char *draw_jpeg(int64_t wall_ms, unsigned number, size_t *len)
{
    unsigned char *out = NULL;
    unsigned long size = 0;
    unsigned char *frame = malloc(FRAME_BYTES);
    if (frame == NULL)
        return NULL;
    draw_scene(frame, wall_ms, number);
    const bool written = jpeg_write(frame, &out, &size);
    free(frame);
    if (!written) {
        free(out);
        return NULL;
    }
    *len = size;
    return out;
}
