/* SPDX-License-Identifier: MIT
 *
 * A database that was cut off, zeroed or garbled is refused at the start, or all of it is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "state/store_priv.h"
#include "tests/unit/state/scratch.h"
#include "tests/unit/state/store_made.h"

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

/* Refused, or all there. */
static bool is_refused_or_whole(struct store_made *made)
{
    struct cause cause = {.text = ""};
    enum err err = made_try_open(made, &cause);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_CORRUPT);
        assert_true(strlen(cause.text) > 20);
        return true;
    }
    struct registry *registry = registry_new();
    err = store_load(made->store, registry, &cause);
    size_t count = registry_count(registry, REC_DEVICE);
    registry_free(registry);
    made_close(made);
    return err == ERR_CORRUPT || (err == ERR_OK && count == 300);
}

static void a_file_cut_off_anywhere_is_never_silently_less(void **state)
{
    struct store_made *made = *state;
    size_t len;
    fill(made);
    made_close(made);
    char *whole = scratch_read(database(made), &len);
    size_t tried = 0;
    for (size_t cut = 0; cut < len; cut += cut < 200         ? 7
                                           : cut % 4096 == 0 ? 1531
                                                             : 4096 - cut % 4096) {
        scratch_write(database(made), whole, cut);
        if (!is_refused_or_whole(made))
            fail_msg("cut off at %zu of %zu bytes it was taken as whole", cut, len);
        tried++;
    }
    assert_true(tried > 60);
    scratch_write(database(made), whole, len);
    free(whole);
    made_open(made);
}

/* Loading reads neither the log of the door nor the pictures: only the check at the start finds it.
 */
static void damage_in_what_is_not_loaded_is_found_at_the_start(void **state)
{
    static const char *const tables[] = {"door_log", "pictures", "pictures_created"};
    struct store_made *made = *state;
    struct cause cause = {.text = ""};
    size_t len;
    fill(made);
    made_close(made);
    char *whole = scratch_read(database(made), &len);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char sql[96];
        snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name = '%s'",
                 tables[i]);
        size_t page = (size_t)number(database(made), sql) - 1;
        char *broken = malloc(len);
        assert_non_null(broken);
        memcpy(broken, whole, len);
        memset(broken + 4096 * page, 0xA5, 4096);
        scratch_write(database(made), broken, len);
        free(broken);
        assert_int_equal(made_try_open(made, &cause), ERR_CORRUPT);
        scratch_write(database(made), whole, len);
    }
    free(whole);
    made_open(made);
}

static void zeroed_and_garbled_pages_are_never_silently_less(void **state)
{
    struct store_made *made = *state;
    size_t len;
    fill(made);
    made_close(made);
    char *whole = scratch_read(database(made), &len);
    char *broken = malloc(len);
    assert_non_null(broken);
    srand(6);
    for (int round = 0; round < 60; round++) {
        size_t page = (size_t)rand() % (len / 4096) * 4096;
        memcpy(broken, whole, len);
        if (round % 3 == 0)
            memset(broken + page, 0, 4096);
        else if (round % 3 == 1)
            for (size_t i = 0; i < 4096; i++)
                broken[page + i] = (char)rand();
        else
            memset(broken + page, 0, len - page);
        scratch_write(database(made), broken, len);
        /* A page of an index or a free one may be lost without a row being lost. */
        if (!is_refused_or_whole(made))
            fail_msg("page %zu broken in round %d was taken as whole", page / 4096, round);
    }
    scratch_write(database(made), whole, len);
    free(whole);
    free(broken);
    made_open(made);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_made_in_file, store_made_free)
    const struct CMUnitTest tests[] = {
        CASE(a_file_cut_off_anywhere_is_never_silently_less),
        CASE(damage_in_what_is_not_loaded_is_found_at_the_start),
        CASE(zeroed_and_garbled_pages_are_never_silently_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
