/* SPDX-License-Identifier: MIT
 *
 * A raw camera frame (rows of BGR, as OpenCV holds them) becomes a JPEG, row by row, with
 * libjpeg-turbo. The only file that includes jpeglib.h. It encodes only: no stranger's JPEG is ever
 * decoded here.
 */
#include "state/picture_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include "state/folder.h"

#define JPEG_QUALITY 85
#define UNREADABLE   "the raw bytes can't be read"

struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    int error; /* errno of the write that failed, 0: something else */
    char message[JMSG_LENGTH_MAX];
};

/* The library's own error_exit ends the process. */
static void on_error(j_common_ptr jpeg)
{
    struct encoder *encoder = jpeg->client_data;
    encoder->error = errno;
    jpeg->err->format_message(jpeg, encoder->message);
    longjmp(encoder->failed, 1);
}

/* The library's own prints to standard error. */
static void on_message(j_common_ptr jpeg)
{
    (void)jpeg;
}

/* Returns 0 or an errno; ENODATA when the file ends early. */
static int read_row(int fd, unsigned char *row, size_t len, off_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, row + done, len - done, at + (off_t)done);
        if (got == 0)
            return ENODATA;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

/* Everything that can jump is called from here; nothing is kept in a local variable across it. */
static bool encode(struct encoder *encoder, int in, const struct raw_frame *frame,
                   unsigned char *row, FILE *out)
{
    struct jpeg_compress_struct *jpeg = &encoder->jpeg;
    jpeg->err = jpeg_std_error(&encoder->errors);
    encoder->errors.error_exit = on_error;
    encoder->errors.output_message = on_message;
    jpeg->client_data = encoder;
    if (setjmp(encoder->failed) != 0)
        return false;
    jpeg_create_compress(jpeg);
    jpeg_stdio_dest(jpeg, out);
    jpeg->image_width = frame->width;
    jpeg->image_height = frame->height;
    jpeg->input_components = 3;
    jpeg->in_color_space = JCS_EXT_BGR;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, JPEG_QUALITY, TRUE);
    errno = 0; /* so that on_error() sees only what writing left there */
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        off_t at = (off_t)jpeg->next_scanline * 3 * frame->width;
        encoder->error = read_row(in, row, (size_t)3 * frame->width, at);
        if (encoder->error != 0) {
            text_copy(encoder->message, sizeof encoder->message, UNREADABLE, strlen(UNREADABLE));
            return false;
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(jpeg, rows, 1);
    }
    jpeg_finish_compress(jpeg);
    return true;
}

enum err picture_frame_to_jpeg(int in, const struct raw_frame *frame, int out, struct cause *cause)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    unsigned char *row = malloc((size_t)3 * frame->width);
    int copy = dup(out);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "wb");
    enum err result = ERR_OK;
    if (encoder == NULL || row == NULL || file == NULL) {
        if (file == NULL && copy >= 0)
            close(copy);
        result = cause_set(cause, ERR_NO_MEMORY, "there is no memory to encode a frame");
    } else if (!encode(encoder, in, frame, row, file)) {
        result =
            cause_set(cause, folder_err(encoder->error), "a frame did not become a JPEG: %s%s%s",
                      encoder->message, encoder->error != 0 ? ": " : "",
                      encoder->error != 0 ? strerror(encoder->error) : "");
    }
    if (encoder != NULL)
        jpeg_destroy_compress(&encoder->jpeg);
    if (file != NULL && fclose(file) != 0 && result == ERR_OK)
        result = cause_set(cause, folder_err(errno), "a frame did not become a JPEG: %s",
                           strerror(errno));
    free(row);
    free(encoder);
    return result;
}
