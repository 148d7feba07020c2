/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/pictures_made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

unsigned char *made_jpeg(unsigned width, unsigned height, unsigned char shade, size_t *len)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long size = 0;
    unsigned char *row = malloc((size_t)width * 3);
    memset(row, shade, (size_t)width * 3);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &out, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    *len = size;
    return out;
}

static void put_number(unsigned char *out, unsigned long number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(number >> (24 - 8 * i));
}

unsigned char *made_png(unsigned long width, unsigned long height, size_t *len)
{
    static const unsigned char frame[45] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR........\x08\x02\0\0\0CRC!"
                                           "\0\0\0\0IEND\xae\x42\x60\x82";
    unsigned char *png = malloc(sizeof frame);
    memcpy(png, frame, sizeof frame);
    put_number(png + 16, width);
    put_number(png + 20, height);
    *len = sizeof frame;
    return png;
}
