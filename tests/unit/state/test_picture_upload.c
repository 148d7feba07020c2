/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <jpeglib.h>

#include "server/base/log.h"
#include "server/base/secret.h"
#include "tests/unit/state/album.h"
#include "tests/unit/state/pictures_made.h"
#include "tests/unit/state/scratch.h"

static void a_jpeg_in_many_pieces_is_kept_byte_for_byte(void **state)
{
    struct album *album = *state;
    size_t len, stored_len;
    unsigned char *jpeg = made_jpeg(120, 80, 33, &len);
    struct album_answer answer = album_upload(album, jpeg, len, 101);
    char hash[SECRET_SHA256_SIZE], path[PICTURE_PATH_SIZE];
    struct stat found;
    assert_int_equal(answer.result, ERR_OK);
    assert_string_equal(answer.picture.type, "image/jpeg");
    assert_int_equal(answer.picture.width, 120);
    assert_int_equal(answer.picture.height, 80);
    assert_int_equal(answer.picture.bytes, len);
    secret_sha256(jpeg, len, hash);
    assert_string_equal(answer.picture.sha256, hash);
    picture_path(answer.picture.id, path);
    char *stored = scratch_read(scratch_path(album->data_dir, path), &stored_len);
    assert_int_equal(stored_len, len);
    assert_memory_equal(stored, jpeg, len);
    assert_int_equal(stat(scratch_path(album->data_dir, path), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    path[strlen("pictures/ab")] = '\0';
    assert_int_equal(stat(scratch_path(album->data_dir, path), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(album_count_files(album), 1);
    free(stored);
    free(jpeg);
}

/* What fsync() was called for, in order; takes the place of libc's in this program. */
static char synced[8][PATH_MAX];
static atomic_size_t synced_count;

int fsync(int fd)
{
    char link[64];
    size_t at = atomic_fetch_add(&synced_count, 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (at < sizeof synced / sizeof synced[0]) {
        ssize_t len = readlink(link, synced[at], sizeof synced[at] - 1);
        synced[at][len > 0 ? len : 0] = '\0';
    }
    return (int)syscall(SYS_fsync, fd);
}

static void file_and_names_are_synced_before_it_is_told(void **state)
{
    struct album *album = *state;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    char path[PICTURE_PATH_SIZE], name[64];
    atomic_store(&synced_count, 0);
    struct album_answer answer = album_upload(album, png, len, len);
    assert_int_equal(answer.result, ERR_OK);
    assert_int_equal(atomic_load(&synced_count), 3);
    snprintf(name, sizeof name, "pictures/tmp/%s", answer.picture.id);
    assert_string_equal(synced[0], scratch_path(album->data_dir, name));
    picture_path(answer.picture.id, path);
    path[strlen("pictures/ab")] = '\0';
    assert_string_equal(synced[1], scratch_path(album->data_dir, path));
    assert_string_equal(synced[2], scratch_path(album->data_dir, "pictures"));
    free(png);
}

static void a_png_is_kept_as_it_is(void **state)
{
    struct album *album = *state;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    struct album_answer answer = album_upload(album, png, len, len);
    assert_int_equal(answer.result, ERR_OK);
    assert_string_equal(answer.picture.type, "image/png");
    assert_int_equal(answer.picture.bytes, len);
    free(png);
}

static void what_is_no_picture_is_refused_and_leaves_nothing(void **state)
{
    struct album *album = *state;
    assert_int_equal(album_upload(album, "", 0, 1).result, ERR_UNSUPPORTED);
    assert_int_equal(album_upload(album, "<html>", 6, 6).result, ERR_UNSUPPORTED);
    assert_int_equal(album_upload(album, "\xFF\xD8\xFF\xD9", 4, 1).result, ERR_UNSUPPORTED);
    struct picture_upload *empty = NULL;
    assert_int_equal(picture_upload_begin(album->pictures, &empty), ERR_OK);
    assert_int_equal(album_write(album, empty, "", 0), ERR_OK);
    assert_int_equal(album_finish(album, empty).result, ERR_UNSUPPORTED);
    assert_int_equal(album_count_files(album), 0);
}

/* The mean colour of a JPEG, to see that blue stayed blue. */
static void mean_colour(const char *path, unsigned *width, unsigned *height, double rgb[3])
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);
    *width = jpeg.output_width;
    *height = jpeg.output_height;
    unsigned char *row = malloc((size_t)3 * *width);
    rgb[0] = rgb[1] = rgb[2] = 0;
    while (jpeg.output_scanline < *height) {
        JSAMPROW rows[1] = {row};
        jpeg_read_scanlines(&jpeg, rows, 1);
        for (unsigned i = 0; i < 3 * *width; i++)
            rgb[i % 3] += (double)row[i] / *width / *height;
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
    free(row);
    fclose(file);
}

static void a_raw_frame_becomes_a_jpeg_of_its_colours(void **state)
{
    struct album *album = *state;
    enum { BYTES = 3 * 160 * 120 };
    unsigned char *raw = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        raw[i] = i % 3 == 0 ? 200 : i % 3 == 1 ? 100 : 20; /* blue, green, red */
    struct album_answer answer = album_upload(album, raw, BYTES, 10000);
    assert_int_equal(answer.result, ERR_OK);
    assert_string_equal(answer.picture.type, "image/jpeg");
    assert_int_equal(answer.picture.width, 160);
    assert_int_equal(answer.picture.height, 120);
    char path[PICTURE_PATH_SIZE], hash[SECRET_SHA256_SIZE];
    struct stat found;
    picture_path(answer.picture.id, path);
    const char *full = scratch_path(album->data_dir, path);
    assert_int_equal(stat(full, &found), 0);
    assert_int_equal(found.st_size, answer.picture.bytes);
    assert_int_equal(secret_sha256_file(full, hash, NULL), ERR_OK);
    assert_string_equal(hash, answer.picture.sha256);
    unsigned width, height;
    double rgb[3];
    mean_colour(full, &width, &height, rgb);
    assert_int_equal(width, 160);
    assert_int_equal(height, 120);
    assert_true(rgb[0] > 10 && rgb[0] < 30);
    assert_true(rgb[1] > 90 && rgb[1] < 110);
    assert_true(rgb[2] > 190 && rgb[2] < 210);
    assert_int_equal(album_count_files(album), 1);
    free(raw);
}

static void a_raw_frame_one_byte_off_is_refused(void **state)
{
    struct album *album = *state;
    enum { BYTES = 3 * 64 * 48 };
    unsigned char *raw = calloc(1, BYTES + 1);
    assert_int_equal(album_upload(album, raw, BYTES - 1, BYTES).result, ERR_UNSUPPORTED);
    assert_int_equal(album_upload(album, raw, BYTES + 1, BYTES).result, ERR_UNSUPPORTED);
    assert_int_equal(album_upload(album, raw, BYTES, BYTES).result, ERR_OK);
    assert_int_equal(album_count_files(album), 1);
    free(raw);
}

static void the_limit_counts_all_pieces(void **state)
{
    struct album *album = *state;
    struct picture_upload *upload = NULL;
    char *piece = calloc(1, ALBUM_MAX_BYTES);
    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    assert_int_equal(album_write(album, upload, piece, ALBUM_MAX_BYTES), ERR_OK);
    assert_int_equal(album_write(album, upload, piece, 1), ERR_TOO_LARGE);
    assert_int_equal(album_write(album, upload, piece, 1), ERR_TOO_LARGE);
    assert_int_equal(album_finish(album, upload).result, ERR_TOO_LARGE);
    assert_int_equal(album_count_files(album), 0);
    free(piece);
}

static void a_stalled_upload_opens_nothing(void **state)
{
    struct album *album = *state;
    struct picture_upload *uploads[200];
    int before = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 200; i++)
        assert_int_equal(picture_upload_begin(album->pictures, &uploads[i]), ERR_OK);
    int after = open("/dev/null", O_RDONLY);
    assert_int_equal(after, before + 1);
    assert_int_equal(album_count_files(album), 0);
    for (int i = 0; i < 200; i++)
        picture_upload_abort(uploads[i]);
    close(before);
    close(after);
}

static void must_not_come(void *arg, enum err result)
{
    (void)result;
    *(bool *)arg = true;
}

static void must_not_be_stored(void *arg, const struct picture *picture, enum err result)
{
    (void)picture;
    (void)result;
    *(bool *)arg = true;
}

static void an_upload_can_be_aborted_at_any_time(void **state)
{
    struct album *album = *state;
    struct picture_upload *upload = NULL;
    bool called = false;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    picture_upload_abort(NULL);

    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    picture_upload_abort(upload);

    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    assert_int_equal(album_write(album, upload, "abc", 3), ERR_OK);
    assert_int_equal(album_count_files(album), 1);
    picture_upload_abort(upload);

    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    picture_upload_write(upload, "abc", 3, must_not_come, &called);
    picture_upload_abort(upload);

    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    assert_int_equal(album_write(album, upload, png, len), ERR_OK);
    picture_upload_finish(upload, must_not_be_stored, &called);
    picture_upload_abort(upload);

    /* Jobs are done in order: once a later one has answered, the earlier are done and posted. */
    struct album_answer answer = {0};
    pictures_open(album->pictures, "00000000000000000000000000000000", album_on_opened, &answer);
    loop_queue_wait(&album->loop, &answer.came);
    album_end(album);
    assert_false(called);
    assert_int_equal(album_count_files(album), 0);
    free(png);
}

static void abort_in_written(void *arg, enum err result)
{
    (void)result;
    struct picture_upload **upload = arg;
    picture_upload_abort(*upload);
    *upload = NULL;
}

static void an_upload_can_be_aborted_from_its_own_callback(void **state)
{
    struct album *album = *state;
    struct picture_upload *upload = NULL;
    struct album_answer answer = {0};
    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    picture_upload_write(upload, "abc", 3, abort_in_written, &upload);
    pictures_open(album->pictures, "00000000000000000000000000000000", album_on_opened, &answer);
    loop_queue_wait(&album->loop, &answer.came);
    assert_null(upload);
    album_end(album);
    assert_int_equal(album_count_files(album), 0);
}

static void uploads_outlive_the_pictures_they_came_to(void **state)
{
    struct album *album = *state;
    struct picture_upload *idle = NULL, *busy = NULL;
    struct album_answer answer = {0};
    assert_int_equal(picture_upload_begin(album->pictures, &idle), ERR_OK);
    assert_int_equal(album_write(album, idle, "abc", 3), ERR_OK);
    assert_int_equal(picture_upload_begin(album->pictures, &busy), ERR_OK);
    picture_upload_write(busy, "abc", 3, album_on_written, &answer);
    album_end(album);
    assert_true(answer.came);
    picture_upload_abort(idle);
    assert_int_equal(album_finish(album, busy).result, ERR_STOPPING);
    assert_int_equal(album_count_files(album), 0);
}

static void drop_line(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file size limit fails a write as a full disk does, half way through. */
static void a_full_disk_is_said_and_leaves_nothing(void **state)
{
    struct album *album = *state;
    struct picture_upload *upload = NULL;
    char *piece = calloc(1, 5000);
    signal(SIGXFSZ, SIG_IGN);
    log_set_sink(drop_line, NULL);
    limit_file_size(8000);
    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    enum err first = album_write(album, upload, piece, 5000);
    enum err second = album_write(album, upload, piece, 5000);
    struct album_answer answer = album_finish(album, upload);
    limit_file_size(RLIM_INFINITY);
    log_set_sink(NULL, NULL);
    assert_int_equal(first, ERR_OK);
    assert_int_equal(second, ERR_DISK_FULL);
    assert_int_equal(answer.result, ERR_DISK_FULL);
    assert_int_equal(album_count_files(album), 0);
    free(piece);
}

static void a_disk_that_fills_while_a_frame_is_encoded_is_said_and_leaves_nothing(void **state)
{
    struct album *album = *state;
    enum { BYTES = 3 * 160 * 120 };
    struct picture_upload *upload = NULL;
    unsigned char *raw = malloc(BYTES);
    uint32_t noise = 1;
    for (size_t i = 0; i < BYTES; i++)
        raw[i] = (unsigned char)((noise = noise * 1664525 + 1013904223) >> 24);
    assert_int_equal(picture_upload_begin(album->pictures, &upload), ERR_OK);
    assert_int_equal(album_write(album, upload, raw, BYTES), ERR_OK);
    signal(SIGXFSZ, SIG_IGN);
    log_set_sink(drop_line, NULL);
    limit_file_size(6000);
    struct album_answer answer = album_finish(album, upload);
    limit_file_size(RLIM_INFINITY);
    log_set_sink(NULL, NULL);
    assert_int_equal(answer.result, ERR_DISK_FULL);
    assert_int_equal(album_count_files(album), 0);
    free(raw);
}

static void a_folder_that_is_gone_fails_the_upload(void **state)
{
    struct album *album = *state;
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    log_set_sink(drop_line, NULL);
    assert_int_equal(rmdir(scratch_path(album->data_dir, "pictures/tmp")), 0);
    assert_int_equal(album_upload(album, png, len, len).result, ERR_IO);
    log_set_sink(NULL, NULL);
    free(png);
}

int main(void)
{
#define WITH_ALBUM(test) cmocka_unit_test_setup_teardown(test, album_open, album_close)
    const struct CMUnitTest tests[] = {
        WITH_ALBUM(a_jpeg_in_many_pieces_is_kept_byte_for_byte),
        WITH_ALBUM(file_and_names_are_synced_before_it_is_told),
        WITH_ALBUM(a_png_is_kept_as_it_is),
        WITH_ALBUM(what_is_no_picture_is_refused_and_leaves_nothing),
        WITH_ALBUM(a_raw_frame_becomes_a_jpeg_of_its_colours),
        WITH_ALBUM(a_raw_frame_one_byte_off_is_refused),
        WITH_ALBUM(the_limit_counts_all_pieces),
        WITH_ALBUM(a_stalled_upload_opens_nothing),
        WITH_ALBUM(an_upload_can_be_aborted_at_any_time),
        WITH_ALBUM(an_upload_can_be_aborted_from_its_own_callback),
        WITH_ALBUM(uploads_outlive_the_pictures_they_came_to),
        WITH_ALBUM(a_full_disk_is_said_and_leaves_nothing),
        WITH_ALBUM(a_disk_that_fills_while_a_frame_is_encoded_is_said_and_leaves_nothing),
        WITH_ALBUM(a_folder_that_is_gone_fails_the_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
