/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/pictures.h"
#include "state/transfer.h"
#include "tests/unit/state/house.h"
#include "tests/unit/state/scratch.h"

#define PICTURES 5

struct fixture {
    struct house house;
    struct picture pictures[PICTURES];
    char *dir; /* where the backup goes; not there yet */
    char *above;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct device device = {.id = "front", .topic = "todevice", .lock = LOCK_LOCKED};
    house_open(&fixture->house);
    house_put(&fixture->house, REC_DEVICE, &device);
    for (int i = 0; i < PICTURES; i++)
        fixture->pictures[i] = house_add_picture(&fixture->house, HOUSE_NOW, 20000);
    house_commit(&fixture->house);
    fixture->above = scratch_new();
    fixture->dir = strdup(scratch_path(fixture->above, "backup"));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    house_close(&fixture->house);
    scratch_free(fixture->above);
    free(fixture->dir);
    free(fixture);
    return 0;
}

static void back_up(struct fixture *fixture)
{
    struct cause cause = {.text = ""};
    if (transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, NULL, NULL, &cause) !=
        ERR_OK)
        fail_msg("%s", cause.text);
}

/* The backup is refused with that code and a cause that holds that text. */
static void refused(struct fixture *fixture, enum err expected, const char *text)
{
    struct cause cause = {.text = ""};
    assert_int_equal(transfer_verify(fixture->dir, NULL, NULL, &cause), expected);
    if (strstr(cause.text, text) == NULL)
        fail_msg("%s", cause.text);
}

static const char *backup_path(struct fixture *fixture, const char *id)
{
    char name[PICTURE_PATH_SIZE];
    picture_path(id, name);
    return scratch_path(fixture->dir, name);
}

static void flip_byte(const char *path, off_t at)
{
    char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

struct progress {
    size_t calls, done, total;
};

static void note_progress(void *arg, size_t done, size_t total)
{
    struct progress *progress = arg;
    progress->calls++;
    assert_int_equal(done, progress->done + 1);
    progress->done = done;
    progress->total = total;
}

static void on_done(void *arg, enum err result)
{
    assert_int_equal(result, ERR_OK);
    *(bool *)arg = true;
}

static char *export_house(struct house *house)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(transfer_export(house->data_dir, out, HOUSE_NOW, NULL), ERR_OK);
    fclose(out);
    return text;
}

static void a_backup_beside_a_server_restores_to_the_same_state(void **state)
{
    struct fixture *fixture = *state;
    struct progress saved = {0}, verified = {0}, restored = {0};
    struct cause cause = {.text = ""};
    struct house other;
    bool done = false;
    if (transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, note_progress, &saved,
                        &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    assert_int_equal(saved.calls, PICTURES);
    assert_int_equal(saved.total, PICTURES);
    if (transfer_verify(fixture->dir, note_progress, &verified, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    assert_int_equal(verified.calls, PICTURES);

    house_open(&other);
    assert_int_equal(
        transfer_restore_pictures(fixture->dir, other.data_dir, note_progress, &restored, &cause),
        ERR_OK);
    assert_int_equal(restored.calls, PICTURES);
    store_restore(other.store, scratch_path(fixture->dir, "gatehouse.db"), on_done, &done);
    loop_queue_wait(&other.loop, &done);
    char *was = export_house(&fixture->house), *is = export_house(&other);
    assert_string_equal(is, was);
    for (int i = 0; i < PICTURES; i++) {
        size_t len, other_len;
        const char *id = fixture->pictures[i].id;
        char *bytes = scratch_read(house_picture_path(&fixture->house, id), &len);
        char *copied = scratch_read(house_picture_path(&other, id), &other_len);
        assert_int_equal(other_len, len);
        assert_memory_equal(copied, bytes, len);
        free(bytes);
        free(copied);
    }
    assert_int_equal(scratch_count_files(scratch_path(other.data_dir, "pictures")), PICTURES);
    free(was);
    free(is);
    house_close(&other);
}

static void a_backup_without_a_server_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    house_stop(&fixture->house);
    back_up(fixture);
    assert_int_equal(transfer_verify(fixture->dir, NULL, NULL, NULL), ERR_OK);
}

static void a_backup_is_for_its_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct stat found;
    back_up(fixture);
    assert_int_equal(stat(fixture->dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    assert_int_equal(stat(scratch_path(fixture->dir, "gatehouse.db"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(stat(scratch_path(fixture->dir, "manifest.json"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_int_equal(scratch_count_files(fixture->dir), 2 + PICTURES);
}

static void a_folder_with_something_in_it_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    assert_int_equal(mkdir(fixture->dir, 0755), 0);
    scratch_write(scratch_path(fixture->dir, "mine"), "x", 1);
    assert_int_equal(
        transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, NULL, NULL, &cause),
        ERR_CONFLICT);
    assert_non_null(strstr(cause.text, "not empty"));
    assert_int_equal(scratch_count_files(fixture->dir), 1);
    unlink(scratch_path(fixture->dir, "mine"));
    back_up(fixture);
}

static void a_picture_that_is_damaged_or_gone_fails_the_backup(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    const char *id = fixture->pictures[2].id;
    flip_byte(house_picture_path(&fixture->house, id), 15000);
    assert_int_equal(
        transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, NULL, NULL, &cause),
        ERR_CORRUPT);
    assert_non_null(strstr(cause.text, id));
    refused(fixture, ERR_NOT_FOUND, "no finished backup");

    free(fixture->dir);
    fixture->dir = strdup(scratch_path(fixture->above, "second"));
    unlink(house_picture_path(&fixture->house, id));
    assert_int_equal(
        transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, NULL, NULL, &cause),
        ERR_NOT_FOUND);
    assert_non_null(strstr(cause.text, id));
    refused(fixture, ERR_NOT_FOUND, "no finished backup");
}

static void a_full_disk_fails_the_backup(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = 9000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum err result =
        transfer_backup(fixture->house.data_dir, fixture->dir, HOUSE_NOW, NULL, NULL, &cause);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, ERR_DISK_FULL);
    refused(fixture, ERR_NOT_FOUND, "no finished backup");
}

static void a_flipped_bit_in_a_picture_is_found(void **state)
{
    struct fixture *fixture = *state;
    back_up(fixture);
    flip_byte(backup_path(fixture, fixture->pictures[4].id), 19999);
    refused(fixture, ERR_CORRUPT, fixture->pictures[4].id);
}

static void a_cut_or_missing_picture_is_found(void **state)
{
    struct fixture *fixture = *state;
    back_up(fixture);
    assert_int_equal(truncate(backup_path(fixture, fixture->pictures[0].id), 19999), 0);
    refused(fixture, ERR_CORRUPT, "19999 bytes instead of 20000");
    unlink(backup_path(fixture, fixture->pictures[0].id));
    refused(fixture, ERR_CORRUPT, fixture->pictures[0].id);
}

static void a_database_that_is_cut_or_changed_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct stat found;
    back_up(fixture);
    const char *path = scratch_path(fixture->dir, "gatehouse.db");
    assert_int_equal(stat(path, &found), 0);
    flip_byte(path, found.st_size - 100);
    refused(fixture, ERR_CORRUPT, "gatehouse.db");
    flip_byte(scratch_path(fixture->dir, "gatehouse.db"), found.st_size - 100);
    assert_int_equal(transfer_verify(fixture->dir, NULL, NULL, NULL), ERR_OK);
    assert_int_equal(truncate(scratch_path(fixture->dir, "gatehouse.db"), found.st_size / 2), 0);
    refused(fixture, ERR_CORRUPT, "gatehouse.db");
    assert_int_equal(truncate(scratch_path(fixture->dir, "gatehouse.db"), 0), 0);
    refused(fixture, ERR_CORRUPT, "gatehouse.db");
    unlink(scratch_path(fixture->dir, "gatehouse.db"));
    refused(fixture, ERR_CORRUPT, "gatehouse.db");
}

static void a_log_or_journal_beside_the_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    back_up(fixture);
    scratch_write(scratch_path(fixture->dir, "gatehouse.db-wal"), "x", 1);
    refused(fixture, ERR_CORRUPT, "gatehouse.db-wal");
    unlink(scratch_path(fixture->dir, "gatehouse.db-wal"));
    scratch_write(scratch_path(fixture->dir, "gatehouse.db-journal"), "x", 1);
    refused(fixture, ERR_CORRUPT, "gatehouse.db-journal");
}

static void a_manifest_that_is_not_one_is_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t len;
    back_up(fixture);
    char *path = strdup(scratch_path(fixture->dir, "manifest.json"));
    char *text = scratch_read(path, &len);
    scratch_write(path, text, len / 2);
    refused(fixture, ERR_CORRUPT, "manifest");
    scratch_write(path, "{}", 2);
    refused(fixture, ERR_CORRUPT, "manifest");
    strstr(text, "\"version\": 1")[strlen("\"version\": ")] = '2';
    scratch_write(path, text, len);
    refused(fixture, ERR_NEWER, "newer");
    strstr(text, "\"version\": 2")[strlen("\"version\": ")] = '1';
    strstr(text, "\"pictures\": 5")[strlen("\"pictures\": ")] = '6';
    scratch_write(path, text, len);
    refused(fixture, ERR_CORRUPT, "counts 6 pictures");
    unlink(path);
    refused(fixture, ERR_NOT_FOUND, "manifest.json");
    free(path);
    free(text);
}

static void pictures_that_are_there_stay_and_others_are_never_overwritten(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    const char *data_dir = fixture->house.data_dir;
    back_up(fixture);
    unlink(house_picture_path(&fixture->house, fixture->pictures[1].id));
    assert_int_equal(transfer_restore_pictures(fixture->dir, data_dir, NULL, NULL, &cause), ERR_OK);
    assert_true(scratch_exists(house_picture_path(&fixture->house, fixture->pictures[1].id)));

    unlink(house_picture_path(&fixture->house, fixture->pictures[1].id));
    flip_byte(house_picture_path(&fixture->house, fixture->pictures[3].id), 19000);
    size_t before = scratch_count_files(data_dir);
    assert_int_equal(transfer_restore_pictures(fixture->dir, data_dir, NULL, NULL, &cause),
                     ERR_CONFLICT);
    assert_non_null(strstr(cause.text, fixture->pictures[3].id));
    assert_int_equal(scratch_count_files(data_dir), before);
}

static void what_was_damaged_since_the_check_is_not_restored(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    struct house other;
    back_up(fixture);
    flip_byte(backup_path(fixture, fixture->pictures[0].id), 19000);
    house_open(&other);
    assert_int_equal(transfer_restore_pictures(fixture->dir, other.data_dir, NULL, NULL, &cause),
                     ERR_CORRUPT);
    assert_int_equal(scratch_count_files(scratch_path(other.data_dir, "pictures")), 0);
    house_close(&other);
}

/* A new machine: pictures first, so that no database is ever there without them. */
static void a_backup_goes_into_a_folder_that_has_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    char *data_dir = strdup(scratch_path(fixture->above, "new"));
    char *database = strdup(scratch_path(fixture->dir, "gatehouse.db"));
    back_up(fixture);
    assert_int_equal(transfer_restore_pictures(fixture->dir, data_dir, NULL, NULL, &cause), ERR_OK);
    assert_int_equal(transfer_restore_database(database, data_dir, &cause), ERR_OK);
    assert_int_equal(transfer_restore_database(database, data_dir, &cause), ERR_CONFLICT);

    struct store *store = NULL;
    struct registry *registry = registry_new();
    struct store_options options = {
        .data_dir = data_dir, .post = loop_queue_post(&fixture->house.loop), .now_at = HOUSE_NOW};
    if (store_open(&options, &store, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    assert_int_equal(store_load(store, registry, &cause), ERR_OK);
    assert_non_null(registry_device(registry, "front"));
    registry_free(registry);
    store_close(store);
    assert_int_equal(scratch_count_files(scratch_path(data_dir, "pictures")), PICTURES);
    free(data_dir);
    free(database);
}

static void a_damaged_database_is_not_put_into_an_empty_folder(void **state)
{
    struct fixture *fixture = *state;
    struct cause cause = {.text = ""};
    char *data_dir = strdup(scratch_path(fixture->above, "new"));
    char *database = strdup(scratch_path(fixture->dir, "gatehouse.db"));
    struct stat found;
    back_up(fixture);
    assert_int_equal(stat(database, &found), 0);
    assert_int_equal(truncate(database, found.st_size / 2), 0);
    assert_int_equal(transfer_restore_database(database, data_dir, &cause), ERR_CORRUPT);
    assert_int_equal(scratch_count_files(data_dir), 0);
    unlink(database);
    assert_int_equal(transfer_restore_database(database, data_dir, &cause), ERR_NOT_FOUND);
    assert_int_equal(scratch_count_files(data_dir), 0);
    free(data_dir);
    free(database);
}

int main(void)
{
#define WITH_PICTURES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_PICTURES(a_backup_beside_a_server_restores_to_the_same_state),
        WITH_PICTURES(a_backup_without_a_server_is_the_same),
        WITH_PICTURES(a_backup_is_for_its_owner_alone),
        WITH_PICTURES(a_folder_with_something_in_it_is_refused),
        WITH_PICTURES(a_picture_that_is_damaged_or_gone_fails_the_backup),
        WITH_PICTURES(a_full_disk_fails_the_backup),
        WITH_PICTURES(a_flipped_bit_in_a_picture_is_found),
        WITH_PICTURES(a_cut_or_missing_picture_is_found),
        WITH_PICTURES(a_database_that_is_cut_or_changed_is_found),
        WITH_PICTURES(a_log_or_journal_beside_the_database_is_refused),
        WITH_PICTURES(a_manifest_that_is_not_one_is_refused),
        WITH_PICTURES(pictures_that_are_there_stay_and_others_are_never_overwritten),
        WITH_PICTURES(what_was_damaged_since_the_check_is_not_restored),
        WITH_PICTURES(a_backup_goes_into_a_folder_that_has_nothing),
        WITH_PICTURES(a_damaged_database_is_not_put_into_an_empty_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
