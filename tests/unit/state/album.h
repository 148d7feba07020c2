/* SPDX-License-Identifier: MIT
 *
 * Pictures in a scratch folder with a file thread and a loop of the test's own.
 */
#ifndef TESTS_UNIT_STATE_ALBUM_H
#define TESTS_UNIT_STATE_ALBUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/pictures.h"
#include "tests/unit/state/loop_queue.h"

#define ALBUM_MAX_BYTES 100000 /* of one picture; raw frames are 64x48 and 160x120 */

struct album {
    char *data_dir;
    struct loop_queue loop;
    struct pictures *pictures;
};

/* What a callback brought. */
struct album_answer {
    bool came;
    enum err result;
    struct picture picture;
    int fd;
    int64_t bytes;
};

/* Set-up and tear-down of a test. */
int album_open(void **state);
int album_close(void **state);

/* Callbacks that fill a struct album_answer. */
void album_on_written(void *arg, enum err result);
void album_on_stored(void *arg, const struct picture *picture, enum err result);
void album_on_opened(void *arg, int fd, int64_t bytes, enum err result);

/* These wait for the answer. */
enum err album_write(struct album *album, struct picture_upload *upload, const void *bytes,
                     size_t len);
struct album_answer album_finish(struct album *album, struct picture_upload *upload);
/* A whole upload in pieces of that size. */
struct album_answer album_upload(struct album *album, const void *bytes, size_t len, size_t piece);

size_t album_count_files(struct album *album);
/* Ends the file thread, so that all that was asked for is done. */
void album_end(struct album *album);

#endif
