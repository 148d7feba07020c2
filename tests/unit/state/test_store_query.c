/* SPDX-License-Identifier: MIT
 *
 * What a store answers to queries, the numbers of the log of the door, and what pruning leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/state/store_made.h"

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

int main(void)
{
#define MEMORY(name) cmocka_unit_test_setup_teardown(name, store_made_in_memory, store_made_free)
#define FILED(name)  cmocka_unit_test_setup_teardown(name, store_made_in_file, store_made_free)
    const struct CMUnitTest tests[] = {
        FILED(the_log_of_the_door_is_numbered_and_numbers_are_not_used_again),
        MEMORY(queries_select_order_and_limit),
        FILED(queries_select_order_and_limit),
        MEMORY(queries_for_what_is_no_column_are_refused),
        FILED(pruning_removes_what_is_old_and_over),
    };
    return cmocka_run_group_tests_name("store_query", tests, NULL, NULL);
}
