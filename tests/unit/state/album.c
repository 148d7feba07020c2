/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/album.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/base/secret.h"
#include "tests/unit/state/scratch.h"

int album_open(void **state)
{
    if (secret_init() != ERR_OK)
        return -1;
    struct album *album = calloc(1, sizeof *album);
    album->data_dir = scratch_new();
    loop_queue_init(&album->loop);
    struct pictures_options options = {.data_dir = album->data_dir,
                                       .post = loop_queue_post(&album->loop),
                                       .max_bytes = ALBUM_MAX_BYTES,
                                       .raw_frames = {{64, 48}, {160, 120}}};
    *state = album;
    return pictures_new(&options, &album->pictures, NULL) == ERR_OK ? 0 : -1;
}

int album_close(void **state)
{
    struct album *album = *state;
    pictures_free(album->pictures);
    loop_queue_close(&album->loop);
    scratch_free(album->data_dir);
    free(album);
    return 0;
}

void album_on_written(void *arg, enum err result)
{
    struct album_answer *answer = arg;
    answer->came = true;
    answer->result = result;
}

void album_on_stored(void *arg, const struct picture *picture, enum err result)
{
    struct album_answer *answer = arg;
    answer->came = true;
    answer->result = result;
    if (picture != NULL)
        answer->picture = *picture;
}

void album_on_opened(void *arg, int fd, int64_t bytes, enum err result)
{
    struct album_answer *answer = arg;
    answer->came = true;
    answer->result = result;
    answer->fd = fd;
    answer->bytes = bytes;
}

enum err album_write(struct album *album, struct picture_upload *upload, const void *bytes,
                     size_t len)
{
    struct album_answer answer = {0};
    picture_upload_write(upload, bytes, len, album_on_written, &answer);
    loop_queue_wait(&album->loop, &answer.came);
    return answer.result;
}

struct album_answer album_finish(struct album *album, struct picture_upload *upload)
{
    struct album_answer answer = {0};
    picture_upload_finish(upload, album_on_stored, &answer);
    loop_queue_wait(&album->loop, &answer.came);
    return answer;
}

struct album_answer album_upload(struct album *album, const void *bytes, size_t len, size_t piece)
{
    struct picture_upload *upload = NULL;
    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    for (size_t at = 0; at < len; at += piece)
        album_write(album, upload, (const char *)bytes + at, len - at < piece ? len - at : piece);
    return album_finish(album, upload);
}

size_t album_count_files(struct album *album)
{
    return scratch_count_files(scratch_path(album->data_dir, "pictures"));
}

void album_end(struct album *album)
{
    pictures_free(album->pictures);
    album->pictures = NULL;
    loop_queue_drain(&album->loop);
}
