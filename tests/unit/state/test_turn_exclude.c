/* SPDX-License-Identifier: MIT
 *
 * The turn while the store is changed as a whole under the registry.
 */
#include "state/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct house {
    struct turn *turn;
    int kept, reloads, outs;
    enum err out_result;
};

static void keep(void *owner, struct batch *batch)
{
    (void)batch;
    ((struct house *)owner)->kept++;
}

static void reload(void *owner)
{
    ((struct house *)owner)->reloads++;
}

static void out(void *arg, enum err kept)
{
    struct house *house = arg;
    house->outs++;
    house->out_result = kept;
}

static struct clock test_clock;

static void house_open(struct house *house)
{
    struct turn_keeper keeper = {.keep = keep, .reload = reload, .owner = house};
    *house = (struct house){0};
    clock_init_system(&test_clock);
    house->turn = turn_new(registry_new(), &keeper, &test_clock);
    assert_non_null(house->turn);
}

static void put_key(struct house *house, enum err expected)
{
    struct data_item item = {.key = "k", .value = "v", .seq = 1};
    assert_int_equal(turn_put(house->turn, REC_DATA, &item), expected);
}

static void what_was_noted_before_still_goes_and_new_changes_are_refused(void **state)
{
    (void)state;
    struct house house;
    house_open(&house);
    put_key(&house, ERR_OK);
    turn_out(house.turn, out, &house);
    assert_false(turn_exclude(house.turn));
    put_key(&house, ERR_NOT_KEPT);
    turn_end(house.turn);
    assert_int_equal(house.kept, 1);
    assert_int_equal(house.outs, 0);
    turn_kept(house.turn, ERR_OK);
    assert_int_equal(house.outs, 1);
    assert_int_equal(house.out_result, ERR_OK);
    assert_true(turn_exclude(house.turn));
    turn_free(house.turn);
}

static void after_the_reload_a_probe_brings_changes_back(void **state)
{
    (void)state;
    struct house house;
    house_open(&house);
    assert_true(turn_exclude(house.turn));
    turn_reload(house.turn);
    assert_int_equal(house.reloads, 1);
    turn_reloaded(house.turn, registry_new(), ERR_OK);
    put_key(&house, ERR_NOT_KEPT);
    turn_tick(house.turn);
    assert_int_equal(house.kept, 1);
    turn_kept(house.turn, ERR_OK);
    put_key(&house, ERR_OK);
    turn_free(house.turn);
}

static void a_failing_commit_meanwhile_ends_the_exclusion(void **state)
{
    (void)state;
    struct house house;
    house_open(&house);
    put_key(&house, ERR_OK);
    turn_end(house.turn);
    assert_false(turn_exclude(house.turn));
    turn_kept(house.turn, ERR_NOT_KEPT);
    assert_false(turn_exclude(house.turn));
    assert_int_equal(house.reloads, 1);
    turn_free(house.turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_noted_before_still_goes_and_new_changes_are_refused),
        cmocka_unit_test(after_the_reload_a_probe_brings_changes_back),
        cmocka_unit_test(a_failing_commit_meanwhile_ends_the_exclusion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
