/* SPDX-License-Identifier: MIT
 *
 * The store: what is kept comes back, and what fails leaves nothing behind. Queries and pruning are
 * in test_store_query.c.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "state/store_priv.h"
#include "tests/unit/state/scratch.h"
#include "tests/unit/state/store_made.h"

static void tables_have_the_columns_of_the_records(void **state)
{
    struct store_made *made = *state;
    for (int kind = 0; kind < REC_KINDS; kind++) {
        const struct record_type *type = &record_types[kind];
        char sql[256], found[256], expected[256] = "";
        size_t columns = 0;
        for (const struct column *c = type->columns; c->name != NULL; c++, columns++) {
            bool is_int = c->type == COLUMN_INT || c->type == COLUMN_BOOL;
            snprintf(expected, sizeof(expected), "%s %s %d", c->name, is_int ? "INTEGER" : "TEXT",
                     c->key);
            snprintf(sql, sizeof(sql),
                     "SELECT name || ' ' || type || ' ' || (pk > 0) FROM"
                     " pragma_table_info('%s') WHERE cid = %zu",
                     type->table, columns);
            made_sql(made, sql, found);
            assert_string_equal(found, expected);
        }
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s')", type->table);
        snprintf(expected, sizeof(expected), "%zu", columns);
        made_sql(made, sql, found);
        assert_string_equal(found, expected);
    }
    char found[256];
    made_sql(made,
             "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
             found);
    assert_int_equal(strtol(found, NULL, 10), REC_KINDS);
}

static void every_kind_comes_back_as_it_was_put(void **state)
{
    struct store_made *made = *state;
    enum { EACH = 40 };
    srand(11);
    for (int kind = 0; kind < REC_KINDS; kind++) {
        struct batch *batch = batch_new();
        void *records[EACH];
        void *rows[EACH + 1];
        /* Twice: the second round overwrites half of what the first put. */
        for (unsigned i = 0; i < EACH + EACH / 2; i++) {
            unsigned slot = i % EACH;
            void *record = calloc(1, record_types[kind].size);
            assert_non_null(record);
            record_fill((enum record_kind)kind, record, slot);
            if (i >= EACH)
                record_free((enum record_kind)kind, records[slot]);
            records[slot] = record;
            assert_int_equal(batch_add(batch, CHANGE_PUT, (enum record_kind)kind, record), ERR_OK);
        }
        assert_int_equal(made_keep(made, batch), ERR_OK);
        batch_free(batch);
        for (unsigned i = 0; i < EACH; i++) {
            const struct column *key = &record_types[kind].columns[0];
            char number[32];
            const char *equals = (const char *)records[i] + key->offset;
            if (key->type == COLUMN_INT) {
                snprintf(number, sizeof(number), "%u", i + 1);
                equals = number;
            }
            struct store_query query = {.kind = (enum record_kind)kind, .limit = EACH + 1};
            query.where[0].column = key->name;
            query.where[0].equals = equals;
            enum err result;
            assert_int_equal(made_query(made, &query, rows, &result), 1);
            assert_int_equal(result, ERR_OK);
            records_assert_equal((enum record_kind)kind, records[i], rows[0]);
            record_free((enum record_kind)kind, rows[0]);
            assert_int_equal(made_del(made, (enum record_kind)kind, records[i]), ERR_OK);
            assert_int_equal(made_query(made, &query, rows, &result), 0);
            record_free((enum record_kind)kind, records[i]);
        }
    }
}

/* What a registry has under the key of that record; of meta, the value alone. */
static const void *found_in(struct registry *registry, enum record_kind kind, const void *record)
{
    switch (kind) {
    case REC_META:
        return registry_meta(registry, record);
    case REC_DEVICE:
        return registry_device(registry, record);
    case REC_APP:
        return registry_app(registry, record);
    case REC_TOKEN:
        return registry_token(registry, record);
    case REC_DATA:
        return registry_data(registry, record);
    case REC_CUSTOM:
        return registry_custom(registry, record);
    default:
        assert_int_equal(kind, REC_PAIR);
        return registry_pair(registry, record, ((const struct pair *)record)->app_id);
    }
}

static void registry_is_loaded_as_it_was(void **state)
{
    struct store_made *made = *state;
    struct batch *batch = batch_new();
    struct registry *before = registry_new();
    static const enum record_kind kinds[] = {REC_META,  REC_DEVICE, REC_APP,   REC_PAIR,
                                             REC_TOKEN, REC_DATA,   REC_CUSTOM};
    srand(12);
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (unsigned i = 0; i < 60; i++) {
            void *record = calloc(1, record_types[kinds[k]].size);
            record_fill(kinds[k], record, (unsigned)rand() % 30);
            assert_int_equal(batch_add(batch, CHANGE_PUT, kinds[k], record), ERR_OK);
            assert_int_equal(registry_apply(before, CHANGE_PUT, kinds[k], record), ERR_OK);
            record_free(kinds[k], record);
        }
    assert_int_equal(made_keep(made, batch), ERR_OK);
    struct registry *after = made_reload(made);
    for (size_t i = 0; i < batch->count; i++) {
        enum record_kind kind = batch->changes[i].kind;
        const void *record = batch->changes[i].record;
        assert_int_equal(registry_count(before, kind), registry_count(after, kind));
        const void *was = found_in(before, kind, record), *is = found_in(after, kind, record);
        if (kind == REC_META)
            assert_string_equal(was, is);
        else
            records_assert_equal(kind, was, is);
    }
    registry_free(before);
    registry_free(after);
    batch_free(batch);
}

static bool add_id(void *arg, const void *record)
{
    snprintf((char *)arg + strlen(arg), 2, "%s", (const char *)record);
    return true;
}

static void what_was_kept_is_there_after_a_restart_in_its_order(void **state)
{
    struct store_made *made = *state;
    assert_int_equal(made_put_device(made, "c"), ERR_OK);
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    assert_int_equal(made_put_device(made, "b"), ERR_OK);
    assert_int_equal(made_put_device(made, "c"), ERR_OK);
    made_close(made);
    made_open(made);
    struct registry *registry = registry_new();
    struct cause cause;
    assert_int_equal(store_load(made->store, registry, &cause), ERR_OK);
    char order[8] = "";
    registry_each(registry, REC_DEVICE, add_id, order);
    assert_string_equal(order, "cab");
    registry_free(registry);
}

static void of_commands_the_live_and_the_latest_are_loaded(void **state)
{
    struct store_made *made = *state;
    static const struct {
        const char *id;
        enum command_state state;
        int64_t age;
        bool loaded;
    } cases[] = {
        {"old-queued", COMMAND_QUEUED, 900000, true},
        {"old-sent", COMMAND_SENT, 900000, true},
        {"old-delivered", COMMAND_DELIVERED, 900000, true},
        {"old-done", COMMAND_DONE, 900000, false},
        {"old-unknown", COMMAND_UNKNOWN, 61000, false},
        {"new-done", COMMAND_DONE, 30000, true},
        {"new-cancelled", COMMAND_CANCELLED, 0, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct command command = {.state = cases[i].state,
                                  .created_at = MADE_NOW_AT - cases[i].age};
        snprintf(command.id, sizeof(command.id), "%s", cases[i].id);
        assert_int_equal(made_put(made, REC_COMMAND, &command), ERR_OK);
    }
    struct alert open = {.id = "open", .topics = (char[]){"a"}};
    struct alert closed = {.id = "closed", .topics = (char[]){"a"}, .sent_at = 5};
    struct alert fresh = {
        .id = "fresh", .topics = (char[]){"a"}, .sent_at = 5, .created_at = MADE_NOW_AT - 1};
    assert_int_equal(made_put(made, REC_ALERT, &open), ERR_OK);
    assert_int_equal(made_put(made, REC_ALERT, &closed), ERR_OK);
    assert_int_equal(made_put(made, REC_ALERT, &fresh), ERR_OK);
    struct registry *loaded = made_reload(made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(registry_command(loaded, cases[i].id) != NULL, cases[i].loaded);
    assert_non_null(registry_alert(loaded, "open"));
    assert_null(registry_alert(loaded, "closed"));
    assert_non_null(registry_alert(loaded, "fresh"));
    registry_free(loaded);
}

static void a_batch_is_kept_whole_or_not_at_all(void **state)
{
    struct store_made *made = *state;
    struct batch *batch = batch_new();
    struct device good = made_device("good"), bad = made_device("bad");
    bad.lock = (enum lock_state)17;
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &good), ERR_OK);
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &bad), ERR_OK);
    assert_int_equal(made_keep(made, batch), ERR_NOT_KEPT);
    assert_false(made_has_device(made, "good"));
    batch_drop_last(batch);
    assert_int_equal(made_keep(made, batch), ERR_OK);
    assert_true(made_has_device(made, "good"));
    batch_free(batch);
}

static void told_commits_fail_and_then_work_again(void **state)
{
    struct store_made *made = *state;
    struct device a = made_device("a");
    store_fail_commits(made->store, 2, ERR_DISK_FULL);
    assert_int_equal(made_put_device(made, "a"), ERR_DISK_FULL);
    assert_int_equal(made_put_device(made, "a"), ERR_DISK_FULL);
    assert_false(made_has_device(made, "a"));
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    store_fail_commits(made->store, 1, ERR_NOT_KEPT);
    assert_int_equal(made_del(made, REC_DEVICE, &a), ERR_NOT_KEPT);
    assert_true(made_has_device(made, "a"));
}

static void a_full_disk_is_told_and_leaves_nothing(void **state)
{
    struct store_made *made = *state;
    char text[256];
    made_sql(made, "PRAGMA page_count", text);
    char limit[64];
    snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %ld", strtol(text, NULL, 10) + 4);
    made_sql(made, limit, text);
    char *value = calloc(1, 60001);
    memset(value, 'x', 60000);
    struct device a = made_device("a");
    struct custom large = {.key = "large", .value = value};
    struct batch *batch = batch_new();
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &a), ERR_OK);
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_CUSTOM, &large), ERR_OK);
    assert_int_equal(made_keep(made, batch), ERR_DISK_FULL);
    assert_false(made_has_device(made, "a"));
    made_sql(made, "PRAGMA max_page_count = 1000000", text);
    assert_int_equal(made_keep(made, batch), ERR_OK);
    assert_true(made_has_device(made, "a"));
    batch_free(batch);
    free(value);
}

static void a_database_that_became_read_only_keeps_nothing(void **state)
{
    struct store_made *made = *state;
    char text[256];
    made_sql(made, "PRAGMA query_only = ON", text);
    assert_int_equal(made_put_device(made, "a"), ERR_NOT_KEPT);
    assert_false(made_has_device(made, "a"));
    made_sql(made, "PRAGMA query_only = OFF", text);
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
}

static void anothers_lock_fails_the_commit_and_is_survived(void **state)
{
    struct store_made *made = *state;
    char text[256];
    struct sqlite3 *other;
    made_sql(made, "PRAGMA busy_timeout = 20", text);
    assert_int_equal(sqlite3_open(scratch_path(made->folder, STORE_FILE), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(made_put_device(made, "a"), ERR_NOT_KEPT);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(made_put_device(made, "a"), ERR_OK);
    assert_true(made_has_device(made, "a"));
    sqlite3_close(other);
}

static void the_writing_connection_is_as_safe_as_promised(void **state)
{
    struct store_made *made = *state;
    static const struct {
        const char *pragma, *value;
    } pragmas[] = {{"PRAGMA journal_mode", "wal"},     {"PRAGMA synchronous", "2"},
                   {"PRAGMA foreign_keys", "1"},       {"PRAGMA trusted_schema", "0"},
                   {"PRAGMA cell_size_check", "1"},    {"PRAGMA mmap_size", "0"},
                   {"PRAGMA wal_autocheckpoint", "0"}, {"PRAGMA busy_timeout", "2000"}};
    for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
        char text[256];
        made_sql(made, pragmas[i].pragma, text);
        assert_string_equal(text, pragmas[i].value);
    }
}

static void the_log_is_moved_into_the_database_as_it_grows(void **state)
{
    struct store_made *made = *state;
    char *value = calloc(1, 60001);
    memset(value, 'x', 60000);
    struct custom large = {.key = "large", .value = value};
    size_t len = 0;
    for (int i = 0; i < 200; i++) {
        large.changed_at = i;
        assert_int_equal(made_put(made, REC_CUSTOM, &large), ERR_OK);
    }
    free(value);
    free(scratch_read(scratch_path(made->folder, STORE_FILE "-wal"), &len));
    /* 200 times 15 pages are 12 MB; with checkpoints the log is used again from its start. */
    assert_in_range(len, 1, 6 * 1024 * 1024);
    made_close(made);
    assert_false(scratch_exists(scratch_path(made->folder, STORE_FILE "-wal")));
    made_open(made);
}

static void die_around_a_commit(const char *variable, const char *folder)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store_made made = {.folder = (char[4096]){""}};
        snprintf(made.folder, 4096, "%s", folder);
        loop_queue_init(&made.queue);
        setenv(variable, "2", 1);
        made_open(&made);
        made_put_device(&made, "first");
        made_put_device(&made, "second");
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_kill_around_a_commit_keeps_what_was_committed(void **state)
{
    struct store_made *made = *state;
    made_close(made);
    die_around_a_commit("GATEHOUSE_TEST_DIE_BEFORE_COMMIT", made->folder);
    made_open(made);
    assert_true(made_has_device(made, "first"));
    assert_false(made_has_device(made, "second"));
    made_close(made);
    die_around_a_commit("GATEHOUSE_TEST_DIE_AFTER_COMMIT", made->folder);
    made_open(made);
    assert_true(made_has_device(made, "second"));
}

int main(void)
{
#define MEMORY(name) cmocka_unit_test_setup_teardown(name, store_made_in_memory, store_made_free)
#define FILED(name)  cmocka_unit_test_setup_teardown(name, store_made_in_file, store_made_free)
    const struct CMUnitTest tests[] = {
        MEMORY(tables_have_the_columns_of_the_records),
        MEMORY(every_kind_comes_back_as_it_was_put),
        FILED(every_kind_comes_back_as_it_was_put),
        MEMORY(registry_is_loaded_as_it_was),
        FILED(registry_is_loaded_as_it_was),
        FILED(what_was_kept_is_there_after_a_restart_in_its_order),
        MEMORY(of_commands_the_live_and_the_latest_are_loaded),
        MEMORY(a_batch_is_kept_whole_or_not_at_all),
        FILED(a_batch_is_kept_whole_or_not_at_all),
        FILED(told_commits_fail_and_then_work_again),
        MEMORY(a_full_disk_is_told_and_leaves_nothing),
        FILED(a_full_disk_is_told_and_leaves_nothing),
        FILED(a_database_that_became_read_only_keeps_nothing),
        FILED(anothers_lock_fails_the_commit_and_is_survived),
        FILED(the_writing_connection_is_as_safe_as_promised),
        FILED(the_log_is_moved_into_the_database_as_it_grows),
        FILED(a_kill_around_a_commit_keeps_what_was_committed),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
