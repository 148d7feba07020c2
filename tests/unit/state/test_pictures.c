/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/state/album.h"
#include "tests/unit/state/pictures_made.h"
#include "tests/unit/state/scratch.h"

static void a_stored_picture_can_be_opened_until_it_is_removed(void **state)
{
    struct album *album = *state;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    struct album_answer stored = album_upload(album, png, len, len), opened = {0}, gone = {0};
    unsigned char bytes[64];
    pictures_open(album->pictures, stored.picture.id, album_on_opened, &opened);
    loop_queue_wait(&album->loop, &opened.came);
    assert_int_equal(opened.result, ERR_OK);
    assert_int_equal(opened.bytes, len);
    assert_int_equal(read(opened.fd, bytes, sizeof bytes), len);
    assert_memory_equal(bytes, png, len);
    assert_true(fcntl(opened.fd, F_GETFD) & FD_CLOEXEC);
    close(opened.fd);
    pictures_remove(album->pictures, stored.picture.id);
    pictures_open(album->pictures, stored.picture.id, album_on_opened, &gone);
    loop_queue_wait(&album->loop, &gone.came);
    assert_int_equal(gone.result, ERR_NOT_FOUND);
    assert_int_equal(gone.fd, -1);
    free(png);
}

static void only_ids_become_paths(void **state)
{
    struct album *album = *state;
    static const char *const ids[] = {"",
                                      "..",
                                      "../../lock",
                                      "ab/../../lock",
                                      "0123456789abcdef0123456789abcde/",
                                      "0123456789ABCDEF0123456789ABCDEF",
                                      "0123456789abcdef0123456789abcdef0"};
    scratch_write(scratch_path(album->data_dir, "lock"), "x", 1);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct album_answer answer = {0};
        pictures_remove(album->pictures, ids[i]);
        pictures_open(album->pictures, ids[i], album_on_opened, &answer);
        loop_queue_wait(&album->loop, &answer.came);
        assert_int_equal(answer.result, ERR_NOT_FOUND);
    }
    assert_true(scratch_exists(scratch_path(album->data_dir, "lock")));
}

static void while_held_nothing_is_removed_and_afterwards_it_is(void **state)
{
    struct album *album = *state;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    struct album_answer stored = album_upload(album, png, len, len), opened = {0}, gone = {0};
    pictures_hold(album->pictures, true);
    pictures_hold(album->pictures, true);
    pictures_remove(album->pictures, stored.picture.id);
    pictures_hold(album->pictures, false);
    pictures_open(album->pictures, stored.picture.id, album_on_opened, &opened);
    loop_queue_wait(&album->loop, &opened.came);
    assert_int_equal(opened.result, ERR_OK);
    close(opened.fd);
    pictures_hold(album->pictures, false);
    pictures_open(album->pictures, stored.picture.id, album_on_opened, &gone);
    loop_queue_wait(&album->loop, &gone.came);
    assert_int_equal(gone.result, ERR_NOT_FOUND);
    free(png);
}

static void the_folders_are_made_for_their_owner_alone(void **state)
{
    struct album *album = *state;
    struct stat found;
    assert_int_equal(stat(scratch_path(album->data_dir, "pictures"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(stat(scratch_path(album->data_dir, "pictures/tmp"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
}

static void a_folder_that_cannot_be_made_is_said(void **state)
{
    struct album *album = *state;
    struct cause cause = {.text = ""};
    struct pictures *pictures = NULL;
    char *path = strdup(scratch_path(album->data_dir, "file"));
    struct pictures_options options = {.data_dir = path, .max_bytes = 1};
    scratch_write(path, "x", 1);
    assert_int_equal(pictures_new(&options, &pictures, &cause), ERR_IO);
    assert_non_null(strstr(cause.text, path));
    assert_null(pictures);
    free(path);
}

int main(void)
{
#define WITH_ALBUM(test) cmocka_unit_test_setup_teardown(test, album_open, album_close)
    const struct CMUnitTest tests[] = {
        WITH_ALBUM(a_stored_picture_can_be_opened_until_it_is_removed),
        WITH_ALBUM(only_ids_become_paths),
        WITH_ALBUM(while_held_nothing_is_removed_and_afterwards_it_is),
        WITH_ALBUM(the_folders_are_made_for_their_owner_alone),
        WITH_ALBUM(a_folder_that_cannot_be_made_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
