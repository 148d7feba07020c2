/* SPDX-License-Identifier: MIT
 *
 * The database as a file: made, checked, migrated, restored; what is none of ours is refused and
 * never taken for an empty database. Damage is in test_store_damage.c.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "state/store_priv.h"
#include "tests/unit/state/scratch.h"
#include "tests/unit/state/store_made.h"

/* Version 1 as it was released, with a row of each table that a home has. */
static const char version_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), value TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE devices (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), topic TEXT NOT NULL,"
    " spoke INTEGER NOT NULL CHECK (spoke IN (0, 1)), lock TEXT NOT NULL, presence TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE apps (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), topic TEXT NOT NULL,"
    " spoke INTEGER NOT NULL CHECK (spoke IN (0, 1)), created_at INTEGER NOT NULL,"
    " seen_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE pairs (device_id TEXT NOT NULL CHECK (device_id <> ''),"
    " app_id TEXT NOT NULL CHECK (app_id <> ''), app_topic TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, PRIMARY KEY (device_id, app_id)) STRICT;"
    "CREATE TABLE tokens (hash TEXT PRIMARY KEY NOT NULL CHECK (hash <> ''),"
    " prefix TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE data (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), seq INTEGER NOT NULL,"
    " value TEXT NOT NULL, changed_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE custom (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), value TEXT NOT NULL,"
    " changed_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE commands (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " device_id TEXT NOT NULL, app_id TEXT NOT NULL, word TEXT NOT NULL,"
    " command_class TEXT NOT NULL, state TEXT NOT NULL, asked_by TEXT NOT NULL,"
    " way TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, sent_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " expires_boot INTEGER NOT NULL, boot_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE alerts (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " capability TEXT NOT NULL, device_id TEXT NOT NULL, claimed TEXT NOT NULL,"
    " topics TEXT NOT NULL, picture_id TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " sent_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE pictures (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " alert_id TEXT NOT NULL, name TEXT NOT NULL, topic TEXT NOT NULL, claimed TEXT NOT NULL,"
    " type TEXT NOT NULL, sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE door_log (seq INTEGER PRIMARY KEY AUTOINCREMENT, logged_at INTEGER NOT NULL,"
    " who TEXT NOT NULL, way TEXT NOT NULL, source TEXT NOT NULL, word TEXT NOT NULL,"
    " device_id TEXT NOT NULL, command_id TEXT NOT NULL,"
    " allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)), outcome TEXT NOT NULL,"
    " reason TEXT NOT NULL) STRICT;"
    "INSERT INTO devices VALUES ('door', 'todoor', 1, 'locked', 'here', 1, 2, 3);"
    "INSERT INTO pairs VALUES ('door', 'app', 'toapp', 4);"
    "INSERT INTO door_log VALUES (7, 5, 'anna', 'http', '::1', 'unlock', 'door', '', 1, 'done',"
    " '');"
    "PRAGMA application_id = 0x47617465; PRAGMA user_version = 1;";

static void run(const char *path, const char *sql)
{
    struct sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static long number(const char *path, const char *sql)
{
    struct sqlite3 *db;
    struct sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long found = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return found;
}

static const char *database(struct store_made *made)
{
    return scratch_path(made->folder, STORE_FILE);
}

static void assert_refused(struct store_made *made, enum err expected, const char *says)
{
    struct cause cause = {.text = ""};
    assert_int_equal(made_try_open(made, &cause), expected);
    if (strstr(cause.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", cause.text, says);
}

static void files_are_the_owners_alone(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    char *inner = strdup(scratch_path(made->folder, "made"));
    char *outer = made->folder;
    made->folder = inner;
    mode_t before = umask(0);
    made_open(made);
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    umask(before);
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm"};
    struct stat found;
    assert_int_equal(stat(inner, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(scratch_path(inner, names[i]), &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
    made_close(made);
    made->folder = outer;
    free(inner);
    made_open(made);
}

static void an_older_database_is_copied_and_migrated(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    unlink(database(made));
    run(database(made), version_1);
    made_open(made);
    assert_true(made_has_device(made, "door"));
    void *rows[2];
    enum err result;
    struct store_query query = {.kind = REC_DOOR_LOG, .limit = 2};
    assert_int_equal(made_query(made, &query, rows, &result), 1);
    assert_int_equal(((struct door_log *)rows[0])->seq, 7);
    assert_string_equal(((struct door_log *)rows[0])->who, "anna");
    record_free(REC_DOOR_LOG, rows[0]);
    char text[256], copy[64];
    made_sql(made, "PRAGMA user_version", text);
    assert_int_equal(strtol(text, NULL, 10), store_schema_version());
    made_sql(made, "SELECT count(*) FROM sqlite_schema WHERE name = 'pictures_created'", text);
    assert_string_equal(text, "1");
    snprintf(copy, sizeof(copy), STORE_FILE ".before-v%d", store_schema_version());
    assert_true(scratch_exists(scratch_path(made->folder, copy)));
    assert_int_equal(number(scratch_path(made->folder, copy), "PRAGMA user_version"), 1);
    assert_int_equal(number(scratch_path(made->folder, copy), "SELECT count(*) FROM devices"), 1);
    struct stat found;
    assert_int_equal(stat(scratch_path(made->folder, copy), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
}

/* What a fresh database looks like is what a migrated one looks like. */
static void migrated_and_fresh_are_the_same(void **state)
{
    struct store_made *made = *state;
    static const char shape[] =
        "SELECT hex(sum(length(sql) * 31 + unicode(substr(sql, -3)))) || count(*) FROM"
        " sqlite_schema";
    char fresh[256], migrated[256];
    made_sql(made, shape, fresh);
    made_close(made);
    unlink(database(made));
    run(database(made), version_1);
    made_open(made);
    made_sql(made, shape, migrated);
    assert_string_equal(migrated, fresh);
}

static void a_step_that_fails_leaves_the_old_version(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    unlink(database(made));
    run(database(made), version_1);
    run(database(made), "CREATE TABLE pictures_created (x)");
    assert_refused(made, ERR_IO, "migrating");
    assert_int_equal(number(database(made), "PRAGMA user_version"), 1);
    assert_int_equal(number(database(made), "SELECT count(*) FROM devices"), 1);
    run(database(made), "DROP TABLE pictures_created");
    made_open(made);
    assert_true(made_has_device(made, "door"));
}

static void a_newer_database_is_refused_and_left_as_it_is(void **state)
{
    struct store_made *made = *state;
    char set[64], named[32];
    size_t len_before, len_after;
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    made_close(made);
    snprintf(set, sizeof(set), "PRAGMA user_version = %d", store_schema_version() + 3);
    snprintf(named, sizeof(named), "version %d", store_schema_version() + 3);
    run(database(made), set);
    char *before = scratch_read(database(made), &len_before);
    assert_refused(made, ERR_NEWER, named);
    snprintf(named, sizeof(named), "up to %d", store_schema_version());
    assert_refused(made, ERR_NEWER, named);
    char *after = scratch_read(database(made), &len_after);
    assert_int_equal(len_before, len_after);
    assert_memory_equal(before, after, len_before);
    free(before);
    free(after);
}

static void another_programs_database_is_refused(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    unlink(database(made));
    run(database(made), "CREATE TABLE notes (x); INSERT INTO notes VALUES (1)");
    assert_refused(made, ERR_CORRUPT, "not one of gatehouse");
    run(database(made), "DROP TABLE notes");
    assert_refused(made, ERR_CORRUPT, "not one of gatehouse");
}

static void an_empty_file_is_refused(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    scratch_write(database(made), "", 0);
    assert_refused(made, ERR_CORRUPT, "restore a backup");
    scratch_write(database(made), "not a database", 14);
    assert_refused(made, ERR_CORRUPT, "not a database");
}

static void a_missing_file_beside_leftovers_is_refused(void **state)
{
    struct store_made *made = *state;
    static const char *const leftovers[] = {STORE_FILE "-wal", STORE_FILE ".before-v2",
                                            "pictures/ab/abcdef"};
    made_close(made);
    unlink(database(made));
    mkdir(scratch_path(made->folder, "pictures"), 0700);
    mkdir(scratch_path(made->folder, "pictures/ab"), 0700);
    for (size_t i = 0; i < 3; i++) {
        scratch_write(scratch_path(made->folder, leftovers[i]), "x", 1);
        assert_refused(made, ERR_CORRUPT, "no " STORE_FILE);
        assert_false(scratch_exists(database(made)));
        unlink(scratch_path(made->folder, leftovers[i]));
    }
    /* Folders without pictures and what a first start that was cut off left are nothing. */
    scratch_write(scratch_path(made->folder, STORE_FILE ".new"), "half", 4);
    scratch_write(scratch_path(made->folder, STORE_FILE ".new-journal"), "half", 4);
    made_open(made);
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    assert_false(scratch_exists(scratch_path(made->folder, STORE_FILE ".new")));
}

static void fill(struct store_made *made)
{
    struct batch *batch = batch_new();
    srand(5);
    for (unsigned i = 0; i < 300; i++) {
        struct device device = {.created_at = 1};
        record_fill(REC_DEVICE, &device, i);
        assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &device), ERR_OK);
    }
    assert_int_equal(made_keep(made, batch), ERR_OK);
    batch_free(batch);
}

static void copy_live(struct store_made *made, const char *name)
{
    struct sqlite3 *db;
    struct cause cause = {.text = ""};
    assert_int_equal(store_open_readonly(database(made), &db, &cause), ERR_OK);
    assert_int_equal(store_copy_to(db, scratch_path(made->folder, name), &cause), ERR_OK);
    sqlite3_close(db);
}

static void a_backup_takes_the_place_of_the_live_database(void **state)
{
    struct store_made *made = *state;
    assert_int_equal(made_put_device(made, "before"), ERR_OK);
    mkdir(scratch_path(made->folder, "backup #1 100%?"), 0700);
    copy_live(made, "backup #1 100%?/" STORE_FILE);
    assert_int_equal(made_put_device(made, "after"), ERR_OK);
    assert_int_equal(made_restore(made, scratch_path(made->folder, "backup #1 100%?")), ERR_OK);
    assert_true(made_has_device(made, "before"));
    assert_false(made_has_device(made, "after"));
    assert_int_equal(made_put_device(made, "new"), ERR_OK);
    made_close(made);
    made_open(made);
    assert_true(made_has_device(made, "before"));
    assert_true(made_has_device(made, "new"));
    char mode[256];
    made_sql(made, "PRAGMA journal_mode", mode);
    assert_string_equal(mode, "wal");
}

static void an_older_backup_is_migrated_on_its_way(void **state)
{
    struct store_made *made = *state;
    const char *backup = scratch_path(made->folder, "old.db");
    size_t len_before, len_after;
    run(backup, version_1);
    char *before = scratch_read(backup, &len_before);
    assert_int_equal(made_put_device(made, "mine"), ERR_OK);
    assert_int_equal(made_restore(made, backup), ERR_OK);
    assert_true(made_has_device(made, "door"));
    assert_false(made_has_device(made, "mine"));
    char text[256];
    made_sql(made, "PRAGMA user_version", text);
    assert_int_equal(strtol(text, NULL, 10), store_schema_version());
    char *after = scratch_read(backup, &len_after);
    assert_int_equal(len_before, len_after);
    assert_memory_equal(before, after, len_before);
    free(before);
    free(after);
    assert_int_equal(made_put_device(made, "new"), ERR_OK);
    made_close(made);
    made_open(made);
    assert_true(made_has_device(made, "door"));
}

static void a_bad_backup_changes_nothing(void **state)
{
    struct store_made *made = *state;
    size_t len;
    char set[64];
    fill(made);
    assert_int_equal(made_put_device(made, "mine"), ERR_OK);
    copy_live(made, "good.db");
    char *good = scratch_read(scratch_path(made->folder, "good.db"), &len);
    for (size_t page = 0; page < len / 4096; page += 5) {
        char *broken = malloc(len);
        memcpy(broken, good, len);
        memset(broken + page * 4096, 0x55, 4096);
        scratch_write(scratch_path(made->folder, "bad.db"), broken, len);
        free(broken);
        enum err err = made_restore(made, scratch_path(made->folder, "bad.db"));
        assert_int_equal(err, ERR_CORRUPT);
    }
    free(good);
    snprintf(set, sizeof(set), "PRAGMA user_version = %d", store_schema_version() + 1);
    run(scratch_path(made->folder, "good.db"), set);
    assert_int_equal(made_restore(made, scratch_path(made->folder, "good.db")), ERR_NEWER);
    assert_int_equal(made_restore(made, scratch_path(made->folder, "none.db")), ERR_NOT_FOUND);
    assert_true(made_has_device(made, "mine"));
    assert_int_equal(made_put_device(made, "still works"), ERR_OK);
}

/* An export beside no server, after one that was killed: the log is there and its index isn't. */
static void reading_works_without_a_server_and_changes_nothing(void **state)
{
    struct store_made *made = *state;
    struct sqlite3 *db;
    struct sqlite3_stmt *stmt;
    struct cause cause = {.text = ""};
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    /* What a kill leaves behind: database and log, copied while the server runs. */
    mkdir(scratch_path(made->folder, "killed"), 0700);
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal"};
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        char to[64];
        char *bytes = scratch_read(scratch_path(made->folder, names[i]), &len);
        snprintf(to, sizeof(to), "killed/%s", names[i]);
        scratch_write(scratch_path(made->folder, to), bytes, len);
        free(bytes);
    }
    size_t log_before, log_after;
    free(scratch_read(scratch_path(made->folder, "killed/" STORE_FILE "-wal"), &log_before));
    assert_true(log_before > 0);
    enum err err =
        store_open_readonly(scratch_path(made->folder, "killed/" STORE_FILE), &db, &cause);
    if (err != ERR_OK)
        fail_msg("%s", cause.text);
    assert_int_equal(store_prepare_select(db, REC_DEVICE, "ORDER BY id", &stmt), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    struct device device = {.created_at = 0};
    assert_int_equal(store_read_row(stmt, REC_DEVICE, &device), ERR_OK);
    assert_string_equal(device.id, "a");
    sqlite3_finalize(stmt);
    assert_int_not_equal(sqlite3_exec(db, "DELETE FROM devices", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(scratch_read(scratch_path(made->folder, "killed/" STORE_FILE "-wal"), &log_after));
    assert_int_equal(log_before, log_after);
    assert_int_equal(store_open_readonly(scratch_path(made->folder, "none"), &db, &cause),
                     ERR_NOT_FOUND);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_made_in_file, store_made_free)
    const struct CMUnitTest tests[] = {
        CASE(files_are_the_owners_alone),
        CASE(an_older_database_is_copied_and_migrated),
        CASE(migrated_and_fresh_are_the_same),
        CASE(a_step_that_fails_leaves_the_old_version),
        CASE(a_newer_database_is_refused_and_left_as_it_is),
        CASE(another_programs_database_is_refused),
        CASE(an_empty_file_is_refused),
        CASE(a_missing_file_beside_leftovers_is_refused),
        CASE(a_backup_takes_the_place_of_the_live_database),
        CASE(an_older_backup_is_migrated_on_its_way),
        CASE(a_bad_backup_changes_nothing),
        CASE(reading_works_without_a_server_and_changes_nothing),
    };
    return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
