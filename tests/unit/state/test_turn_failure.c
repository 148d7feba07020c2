/* SPDX-License-Identifier: MIT
 *
 * The turn when a commit fails, until one works again; and at the end of the server.
 */
#include "tests/unit/state/turn_made.h"

static void put_refused(struct turn_made *f)
{
    tm_see(f, err_name(tm_put(f, "in the middle of it")));
    tm_out(f, "late");
    turn_end(f->turn);
}

static void a_failed_commit_lets_nothing_of_both_batches_leave(void **state)
{
    struct turn_made *f = *state;
    turn_on_settled(f->turn, tm_settled, f);
    tm_put(f, "1");
    tm_out_then(f, "a", put_refused);
    turn_end(f->turn);
    tm_turn(f, "2", "b");
    f->wall = 2000000;
    tm_answer(f, ERR_DISK_FULL);
    tm_assert_seen(f, "a(DISK_FULL) DISK_FULL late(DISK_FULL) b(DISK_FULL) settled-DISK_FULL");
    assert_int_equal(f->kept, 1);
    assert_int_equal(f->reloads, 1);
    int64_t since_at = 0;
    assert_int_equal(turn_trouble(f->turn, &since_at), ERR_DISK_FULL);
    assert_int_equal(since_at, 2000000);
    assert_int_equal(turn_ready(f->turn), ERR_DISK_FULL);
}

static void a_thrown_away_registry_is_not_read(void **state)
{
    struct turn_made *f = *state;
    tm_commit(f, "1", ERR_NOT_KEPT);
    assert_false(turn_may_read(f->turn));
    assert_int_equal(tm_put(f, "2"), ERR_NOT_KEPT);
    tm_out(f, "read");
    tm_assert_seen(f, "read(NOT_KEPT)");
    tm_answer_reload(f, ERR_OK);
    assert_false(tm_has(f, "1"));
    assert_true(turn_may_read(f->turn));
    tm_out(f, "read");
    tm_assert_seen(f, "read");
    assert_int_equal(tm_put(f, "2"), ERR_NOT_KEPT);
    assert_int_equal(turn_del(f->turn, REC_DEVICE, &(struct device){.id = "1"}), ERR_NOT_KEPT);
}

static void probes_are_tried_once_a_second_until_one_commits(void **state)
{
    struct turn_made *f = *state;
    turn_on_settled(f->turn, tm_settled, f);
    tm_commit(f, "1", ERR_NOT_KEPT);
    turn_tick(f->turn);
    assert_int_equal(f->kept, 1); /* not before the reload */
    tm_answer_reload(f, ERR_OK);
    f->seen[0] = '\0';
    turn_tick(f->turn);
    assert_int_equal(f->kept, 2);
    assert_int_equal(f->flight->count, 1);
    assert_int_equal(f->flight->changes[0].kind, REC_META);
    assert_string_equal(((struct meta *)f->flight->changes[0].record)->key, "probe");
    tm_out(f, "read beside the probe");
    tm_assert_seen(f, "read beside the probe");
    assert_false(turn_may_read(f->turn));
    turn_tick(f->turn);
    tm_answer(f, ERR_DISK_FULL);
    tm_assert_seen(f, "settled-DISK_FULL");
    assert_int_equal(turn_ready(f->turn), ERR_DISK_FULL);
    assert_int_equal(f->reloads, 0); /* nothing was lost with it */
    f->boot += 999;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 2);
    f->boot += 1;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 3);
    assert_int_equal(tm_put(f, "2"), ERR_DISK_FULL);
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "settled-OK");
    int64_t since_at = 1;
    assert_int_equal(turn_trouble(f->turn, &since_at), ERR_OK);
    assert_int_equal(since_at, 0);
    assert_non_null(registry_meta(turn_registry(f->turn), "probe"));
    tm_commit(f, "2", ERR_OK);
    turn_tick(f->turn);
    assert_int_equal(f->kept, 4);
}

static void a_failed_reload_is_tried_again(void **state)
{
    struct turn_made *f = *state;
    tm_commit(f, "1", ERR_NOT_KEPT);
    tm_answer_reload(f, ERR_IO);
    assert_false(turn_may_read(f->turn));
    tm_out(f, "read");
    tm_assert_seen(f, "read(NOT_KEPT)");
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 0);
    f->boot += 1000;
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 1);
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 1);
    tm_answer_reload(f, ERR_OK);
    turn_tick(f->turn);
    tm_answer(f, ERR_OK);
    assert_int_equal(turn_ready(f->turn), ERR_OK);
}

static void every_other_failure_is_told_as_not_kept(void **state)
{
    struct turn_made *f = *state;
    tm_turn(f, "1", "a");
    tm_answer(f, ERR_CORRUPT);
    tm_assert_seen(f, "a(NOT_KEPT)");
}

static void settled_lost(void *arg, enum err result)
{
    struct turn_made *f = arg;
    tm_see(f, turn_may_write(f->turn) ? "may write" : "may not write");
    tm_settled(arg, result);
}

/* Until the link that brought it was ended, an acknowledgement of what was lost could still go. */
static void lost_input_is_not_acknowledged(void **state)
{
    struct turn_made *f = *state;
    turn_on_settled(f->turn, settled_lost, f);
    turn_mark_input(f->turn);
    tm_commit(f, "mqtt", ERR_NOT_KEPT);
    tm_assert_seen(f, "may not write settled-NOT_KEPT");
    assert_true(turn_may_write(f->turn));
    tm_answer_reload(f, ERR_OK);
}

static void what_still_waits_is_told_that_the_server_stops(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    tm_out_then(f, "a", put_refused);
    turn_end(f->turn);
    tm_put(f, "2");
    tm_out(f, "b");
    struct turn *turn = f->turn;
    turn_free(turn);
    tm_assert_seen(f, "a(STOPPING) STOPPING late(STOPPING) b(STOPPING)");
    tm_set_up(state);
}

static void after_a_stop_nothing_more_is_asked_of_the_keeper(void **state)
{
    struct turn_made *f = *state;
    tm_turn(f, "1", "a");
    tm_put(f, "2");
    turn_stop(f->turn);
    tm_assert_seen(f, "a(STOPPING)");
    tm_answer(f, ERR_DISK_FULL);
    tm_out(f, "b");
    turn_tick(f->turn);
    turn_end(f->turn);
    turn_reload(f->turn);
    tm_assert_seen(f, "b(STOPPING)");
    assert_null(f->flight);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, tm_set_up, tm_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_failed_commit_lets_nothing_of_both_batches_leave),
        CASE(a_thrown_away_registry_is_not_read),
        CASE(probes_are_tried_once_a_second_until_one_commits),
        CASE(a_failed_reload_is_tried_again),
        CASE(every_other_failure_is_told_as_not_kept),
        CASE(lost_input_is_not_acknowledged),
        CASE(what_still_waits_is_told_that_the_server_stops),
        CASE(after_a_stop_nothing_more_is_asked_of_the_keeper),
    };
    return cmocka_run_group_tests_name("turn_failure", tests, NULL, NULL);
}
