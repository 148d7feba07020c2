/* SPDX-License-Identifier: MIT
 *
 * The store: what is kept comes back, and what fails leaves nothing behind.
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

static struct device device(const char *id)
{
    struct device device = {.created_at = 1};
    snprintf(device.id, sizeof(device.id), "%s", id);
    return device;
}

static bool device_is_kept(struct store_made *made, const char *id)
{
    struct registry *fresh = made_reload(made);
    bool kept = registry_device(fresh, id) != NULL;
    registry_free(fresh);
    return kept;
}

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
        if (kind == REC_DEVICE)
            records_assert_equal(kind, registry_device(before, record),
                                 registry_device(after, record));
        else if (kind == REC_APP)
            records_assert_equal(kind, registry_app(before, record), registry_app(after, record));
        else if (kind == REC_TOKEN)
            records_assert_equal(kind, registry_token(before, record),
                                 registry_token(after, record));
        else if (kind == REC_DATA)
            records_assert_equal(kind, registry_data(before, record), registry_data(after, record));
        else if (kind == REC_CUSTOM)
            records_assert_equal(kind, registry_custom(before, record),
                                 registry_custom(after, record));
        else if (kind == REC_META)
            assert_string_equal(registry_meta(before, record), registry_meta(after, record));
        else
            records_assert_equal(
                kind, registry_pair(before, record, ((const struct pair *)record)->app_id),
                registry_pair(after, record, ((const struct pair *)record)->app_id));
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
    struct device c = device("c"), a = device("a"), b = device("b");
    assert_int_equal(made_put(made, REC_DEVICE, &c), ERR_OK);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_OK);
    assert_int_equal(made_put(made, REC_DEVICE, &b), ERR_OK);
    assert_int_equal(made_put(made, REC_DEVICE, &c), ERR_OK);
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
    struct device good = device("good"), bad = device("bad");
    bad.lock = (enum lock_state)17;
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &good), ERR_OK);
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &bad), ERR_OK);
    assert_int_equal(made_keep(made, batch), ERR_NOT_KEPT);
    assert_false(device_is_kept(made, "good"));
    batch_drop_last(batch);
    assert_int_equal(made_keep(made, batch), ERR_OK);
    assert_true(device_is_kept(made, "good"));
    batch_free(batch);
}

static void told_commits_fail_and_then_work_again(void **state)
{
    struct store_made *made = *state;
    struct device a = device("a");
    store_fail_commits(made->store, 2, ERR_DISK_FULL);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_DISK_FULL);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_DISK_FULL);
    assert_false(device_is_kept(made, "a"));
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_OK);
    store_fail_commits(made->store, 1, ERR_NOT_KEPT);
    assert_int_equal(made_del(made, REC_DEVICE, &a), ERR_NOT_KEPT);
    assert_true(device_is_kept(made, "a"));
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
    struct device a = device("a");
    struct custom large = {.key = "large", .value = value};
    struct batch *batch = batch_new();
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DEVICE, &a), ERR_OK);
    assert_int_equal(batch_add(batch, CHANGE_PUT, REC_CUSTOM, &large), ERR_OK);
    assert_int_equal(made_keep(made, batch), ERR_DISK_FULL);
    assert_false(device_is_kept(made, "a"));
    made_sql(made, "PRAGMA max_page_count = 1000000", text);
    assert_int_equal(made_keep(made, batch), ERR_OK);
    assert_true(device_is_kept(made, "a"));
    batch_free(batch);
    free(value);
}

static void a_database_that_became_read_only_keeps_nothing(void **state)
{
    struct store_made *made = *state;
    char text[256];
    struct device a = device("a");
    made_sql(made, "PRAGMA query_only = ON", text);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_NOT_KEPT);
    assert_false(device_is_kept(made, "a"));
    made_sql(made, "PRAGMA query_only = OFF", text);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_OK);
}

static void anothers_lock_fails_the_commit_and_is_survived(void **state)
{
    struct store_made *made = *state;
    char text[256];
    struct device a = device("a");
    struct sqlite3 *other;
    made_sql(made, "PRAGMA busy_timeout = 20", text);
    assert_int_equal(sqlite3_open(scratch_path(made->folder, STORE_FILE), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_NOT_KEPT);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(made_put(made, REC_DEVICE, &a), ERR_OK);
    assert_true(device_is_kept(made, "a"));
    sqlite3_close(other);
}

static void the_log_of_the_door_is_numbered_and_numbers_are_not_used_again(void **state)
{
    struct store_made *made = *state;
    void *rows[10];
    enum err result;
    struct store_query query = {.kind = REC_DOOR_LOG, .limit = 10};
    for (int i = 0; i < 3; i++) {
        struct door_log row = {.logged_at = i, .allowed = i == 1, .word = "unlock"};
        assert_int_equal(made_put(made, REC_DOOR_LOG, &row), ERR_OK);
    }
    assert_int_equal(made_del(made, REC_DOOR_LOG, &(struct door_log){.seq = 3}), ERR_OK);
    assert_int_equal(made_put(made, REC_DOOR_LOG, &(struct door_log){.logged_at = 9}), ERR_OK);
    size_t count = made_query(made, &query, rows, &result);
    assert_int_equal(count, 3);
    static const int seqs[] = {1, 2, 4};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(((struct door_log *)rows[i])->seq, seqs[i]);
        record_free(REC_DOOR_LOG, rows[i]);
    }
}

static void put_command(struct store_made *made, const char *id, const char *device_id,
                        int64_t created_at, enum command_state state)
{
    struct command command = {.created_at = created_at, .state = state};
    snprintf(command.id, sizeof(command.id), "%s", id);
    snprintf(command.device_id, sizeof(command.device_id), "%s", device_id);
    assert_int_equal(made_put(made, REC_COMMAND, &command), ERR_OK);
}

static void assert_ids(struct store_made *made, const struct store_query *query,
                       const char *expected)
{
    void *rows[1000];
    enum err result;
    char ids[256] = "";
    size_t count = made_query(made, query, rows, &result), at = 0;
    assert_int_equal(result, ERR_OK);
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(ids + at, sizeof(ids) - at, "%s%s", i > 0 ? " " : "",
                               (const char *)rows[i]);
        record_free(query->kind, rows[i]);
    }
    assert_string_equal(ids, expected);
}

static void queries_select_order_and_limit(void **state)
{
    struct store_made *made = *state;
    put_command(made, "c", "d", 30, COMMAND_DONE);
    put_command(made, "a", "d", 20, COMMAND_FAILED);
    put_command(made, "b", "e", 20, COMMAND_DONE);
    put_command(made, "x", "d", 20, COMMAND_DONE);
    struct store_query query = {.kind = REC_COMMAND, .limit = 1000};
    assert_ids(made, &query, "a b c x");
    query.order = "created_at";
    assert_ids(made, &query, "a b x c");
    query.descending = true;
    assert_ids(made, &query, "c x b a");
    query.limit = 2;
    assert_ids(made, &query, "c x");
    query.limit = 1000;
    query.where[0].column = "device_id";
    query.where[0].equals = "d";
    assert_ids(made, &query, "c x a");
    query.where[1].column = "state";
    query.where[1].equals = "done";
    query.where[2].column = "created_at";
    query.where[2].equals = "20";
    assert_ids(made, &query, "x");
    query.where[0].equals = "d' OR '1'='1";
    assert_ids(made, &query, "");
}

static void queries_for_what_is_no_column_are_refused(void **state)
{
    struct store_made *made = *state;
    enum err result;
    struct store_query query = {.kind = REC_COMMAND, .limit = 1, .order = "created_at; DROP"};
    made_query(made, &query, NULL, &result);
    assert_int_equal(result, ERR_BAD_INPUT);
    query.order = NULL;
    query.where[0].column = "1=1 OR id";
    query.where[0].equals = "x";
    made_query(made, &query, NULL, &result);
    assert_int_equal(result, ERR_BAD_INPUT);
    query.where[0].column = NULL;
    query.limit = 1001;
    made_query(made, &query, NULL, &result);
    assert_int_equal(result, ERR_BAD_INPUT);
    query.limit = 0;
    made_query(made, &query, NULL, &result);
    assert_int_equal(result, ERR_BAD_INPUT);
}

static void pruning_removes_what_is_old_and_over(void **state)
{
    struct store_made *made = *state;
    struct batch *batch = batch_new();
    for (int i = 0; i < 1300; i++) {
        struct door_log row = {.logged_at = i};
        assert_int_equal(batch_add(batch, CHANGE_PUT, REC_DOOR_LOG, &row), ERR_OK);
    }
    assert_int_equal(made_keep(made, batch), ERR_OK);
    batch_free(batch);
    put_command(made, "old", "d", 5, COMMAND_DONE);
    put_command(made, "live", "d", 5, COMMAND_SENT);
    put_command(made, "new", "d", 1250, COMMAND_DONE);
    struct alert alerts[] = {
        {.id = "over", .created_at = 5, .sent_at = 6, .topics = (char[]){""}},
        {.id = "with-picture", .created_at = 5, .sent_at = 6, .topics = (char[]){""}},
        {.id = "waits", .created_at = 5, .topics = (char[]){""}},
    };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(made_put(made, REC_ALERT, &alerts[i]), ERR_OK);
    struct picture picture = {.id = "p", .alert_id = "with-picture"};
    assert_int_equal(made_put(made, REC_PICTURE, &picture), ERR_OK);
    store_prune(made->store, 1200);
    char left[256] = "";
    for (int tries = 0; tries < 1000 && strcmp(left, "100 2 2") != 0; tries++)
        made_sql(made,
                 "SELECT (SELECT count(*) FROM door_log) || ' ' || (SELECT count(*) FROM commands)"
                 " || ' ' || (SELECT count(*) FROM alerts)",
                 left);
    assert_string_equal(left, "100 2 2");
    struct store_query commands = {.kind = REC_COMMAND, .limit = 9};
    assert_ids(made, &commands, "live new");
    struct store_query alerts_left = {.kind = REC_ALERT, .limit = 9};
    assert_ids(made, &alerts_left, "waits with-picture");
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
        struct device first = device("first"), second = device("second");
        made_put(&made, REC_DEVICE, &first);
        made_put(&made, REC_DEVICE, &second);
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
    assert_true(device_is_kept(made, "first"));
    assert_false(device_is_kept(made, "second"));
    made_close(made);
    die_around_a_commit("GATEHOUSE_TEST_DIE_AFTER_COMMIT", made->folder);
    made_open(made);
    assert_true(device_is_kept(made, "second"));
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
        FILED(the_log_of_the_door_is_numbered_and_numbers_are_not_used_again),
        MEMORY(queries_select_order_and_limit),
        FILED(queries_select_order_and_limit),
        MEMORY(queries_for_what_is_no_column_are_refused),
        FILED(pruning_removes_what_is_old_and_over),
        FILED(the_writing_connection_is_as_safe_as_promised),
        FILED(the_log_is_moved_into_the_database_as_it_grows),
        FILED(a_kill_around_a_commit_keeps_what_was_committed),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
