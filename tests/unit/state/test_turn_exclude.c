/* SPDX-License-Identifier: MIT
 *
 * The turn while the store is changed as a whole under the registry.
 */
#include "tests/unit/state/turn_made.h"

static void what_was_noted_before_still_goes_and_new_changes_are_refused(void **state)
{
    struct turn_made *f = *state;
    assert_int_equal(tm_put(f, "1"), ERR_OK);
    tm_out(f, "a");
    assert_false(turn_exclude(f->turn));
    assert_int_equal(tm_put(f, "1"), ERR_NOT_KEPT);
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    tm_assert_seen(f, "");
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a");
    assert_true(turn_exclude(f->turn));
}

static void after_the_reload_a_probe_brings_changes_back(void **state)
{
    struct turn_made *f = *state;
    assert_true(turn_exclude(f->turn));
    turn_reload(f->turn);
    tm_answer_reload(f, ERR_OK);
    assert_int_equal(tm_put(f, "1"), ERR_NOT_KEPT);
    turn_tick(f->turn);
    assert_int_equal(f->kept, 1);
    tm_answer(f, ERR_OK);
    assert_int_equal(tm_put(f, "1"), ERR_OK);
}

static void a_failing_commit_meanwhile_ends_the_exclusion(void **state)
{
    struct turn_made *f = *state;
    assert_int_equal(tm_put(f, "1"), ERR_OK);
    turn_end(f->turn);
    assert_false(turn_exclude(f->turn));
    tm_answer(f, ERR_NOT_KEPT);
    assert_false(turn_exclude(f->turn));
    assert_int_equal(f->reloads, 1);
}

static void an_excluded_turn_keeps_what_was_noted_and_takes_nothing_more(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    tm_out(f, "a");
    assert_false(turn_exclude(f->turn));
    assert_int_equal(tm_put(f, "2"), ERR_NOT_KEPT);
    turn_end(f->turn);
    assert_false(turn_exclude(f->turn));
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a");
    assert_true(turn_exclude(f->turn));
    f->boot += 5000;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 1);
    tm_out(f, "the old state");
    tm_assert_seen(f, "the old state");
    turn_reload(f->turn);
    tm_out(f, "neither");
    tm_assert_seen(f, "neither(NOT_KEPT)");
    assert_false(turn_exclude(f->turn));
    tm_answer_reload(f, ERR_OK);
    assert_false(tm_has(f, "1"));
    turn_tick(f->turn);
    tm_answer(f, ERR_OK);
    tm_commit(f, "2", ERR_OK);
    turn_reload(f->turn);
    assert_int_equal(f->reloads, 0);
}

/* Then the store is not changed under it: it must be asked again when all is well. */
static void an_exclusion_ends_when_the_last_commit_before_it_fails(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    turn_end(f->turn);
    assert_false(turn_exclude(f->turn));
    tm_answer(f, ERR_DISK_FULL);
    assert_false(turn_exclude(f->turn));
    tm_answer_reload(f, ERR_OK);
    assert_false(turn_exclude(f->turn));
    turn_tick(f->turn);
    assert_false(turn_exclude(f->turn));
    tm_answer(f, ERR_OK);
    assert_true(turn_exclude(f->turn));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, tm_set_up, tm_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_was_noted_before_still_goes_and_new_changes_are_refused),
        CASE(after_the_reload_a_probe_brings_changes_back),
        CASE(a_failing_commit_meanwhile_ends_the_exclusion),
        CASE(an_excluded_turn_keeps_what_was_noted_and_takes_nothing_more),
        CASE(an_exclusion_ends_when_the_last_commit_before_it_fails),
    };
    return cmocka_run_group_tests_name("turn_exclude", tests, NULL, NULL);
}
