/* SPDX-License-Identifier: MIT
 *
 * The turn: what leaves, when, in which order; when MQTT may be read and written. What happens when
 * a commit fails is in test_turn_failure.c.
 */
#include "tests/unit/state/turn_made.h"

static void with_nothing_to_keep_an_out_leaves_at_once(void **state)
{
    struct turn_made *f = *state;
    tm_out(f, "a");
    tm_assert_seen(f, "a");
    turn_end(f->turn);
    assert_int_equal(f->kept, 0);
    assert_true(turn_is_idle(f->turn));
}

static void nothing_leaves_before_its_commit_and_then_in_order(void **state)
{
    struct turn_made *f = *state;
    assert_int_equal(tm_put(f, "1"), ERR_OK);
    assert_true(tm_has(f, "1"));
    tm_out(f, "a");
    tm_out(f, "b");
    assert_int_equal(f->kept, 0); /* not before the end of the turn */
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    assert_int_equal(f->flight->count, 1);
    tm_out(f, "reads what is uncommitted");
    tm_assert_seen(f, "");
    assert_false(turn_is_idle(f->turn));
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a b reads what is uncommitted");
    assert_true(turn_is_idle(f->turn));
}

static void one_batch_is_on_its_way_and_the_next_gathers(void **state)
{
    struct turn_made *f = *state;
    tm_turn(f, "1", "a");
    tm_turn(f, "2", "b");
    tm_turn(f, "3", "c");
    assert_int_equal(f->kept, 1);
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a");
    assert_int_equal(f->kept, 2);
    assert_int_equal(f->flight->count, 2);
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "b c");
    assert_null(f->flight);
}

static enum err put_late(struct turn_made *f, char id)
{
    struct device device = {.created_at = 1};
    device.id[0] = id;
    return turn_put_late(f->turn, REC_DEVICE, &device);
}

static void what_may_come_late_goes_with_the_next_batch_or_the_tick(void **state)
{
    struct turn_made *f = *state;
    assert_int_equal(put_late(f, '1'), ERR_OK);
    assert_true(tm_has(f, "1"));
    turn_end(f->turn);
    assert_int_equal(f->kept, 0);
    assert_false(turn_is_idle(f->turn));
    tm_put(f, "2");
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    assert_int_equal(f->flight->count, 2);
    put_late(f, '3');
    tm_answer(f, ERR_OK);
    assert_int_equal(f->kept, 1); /* the one before it was in a hurry, this one isn't */
    turn_tick(f->turn);
    turn_end(f->turn);
    assert_int_equal(f->kept, 2);
    tm_answer(f, ERR_OK);
    assert_true(turn_is_idle(f->turn));
}

static void an_out_after_what_may_come_late_waits_for_it(void **state)
{
    struct turn_made *f = *state;
    put_late(f, '1');
    tm_out(f, "a");
    tm_assert_seen(f, "");
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    tm_assert_seen(f, "");
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a");
}

static void what_may_come_late_holds_no_acknowledgement_up_until_it_is_on_its_way(void **state)
{
    struct turn_made *f = *state;
    turn_mark_input(f->turn);
    put_late(f, '1');
    assert_true(turn_may_write(f->turn));
    tm_put(f, "2");
    assert_false(turn_may_write(f->turn));
    turn_end(f->turn);
    assert_false(turn_may_write(f->turn));
    tm_answer(f, ERR_OK);
    assert_true(turn_may_write(f->turn));
}

static void changes_reach_the_keeper_in_their_order(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    tm_put(f, "2");
    assert_int_equal(turn_del(f->turn, REC_DEVICE, registry_device(turn_registry(f->turn), "1")),
                     ERR_OK);
    assert_int_equal(turn_put(f->turn, REC_DOOR_LOG, &(struct door_log){.logged_at = 5}), ERR_OK);
    turn_end(f->turn);
    const struct change *changes = f->flight->changes;
    assert_int_equal(f->flight->count, 4);
    assert_int_equal(changes[0].op, CHANGE_PUT);
    assert_string_equal(((struct device *)changes[1].record)->id, "2");
    assert_int_equal(changes[2].op, CHANGE_DELETE);
    assert_string_equal(((struct device *)changes[2].record)->id, "1");
    assert_int_equal(changes[3].kind, REC_DOOR_LOG);
    assert_false(tm_has(f, "1"));
    tm_answer(f, ERR_OK);
}

static void an_open_batch_with_outs_alone_leaves_at_the_end_of_the_turn(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    turn_end(f->turn);
    tm_out(f, "a");
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a");
    assert_int_equal(f->kept, 1);
}

static void settled_read(void *arg, enum err result)
{
    struct turn_made *f = arg;
    tm_settled(arg, result);
    if (f->kept > 1)
        return;
    assert_true(turn_may_read(f->turn));
    turn_mark_input(f->turn);
    tm_put(f, "mqtt 1");
    turn_end(f->turn);
    tm_put(f, "mqtt 2");
    turn_end(f->turn);
    tm_out(f, "ack");
    assert_null(f->flight);
}

/* DESIGN 2: let out, read a burst of MQTT, think, hand over the next batch with all of it. */
static void after_a_commit_it_lets_out_then_reads_then_hands_over(void **state)
{
    struct turn_made *f = *state;
    turn_on_settled(f->turn, settled_read, f);
    tm_turn(f, "1", "a");
    tm_turn(f, "http", "reply");
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a settled-OK");
    assert_int_equal(f->flight->count, 3);
    assert_false(turn_may_write(f->turn));
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "reply ack settled-OK");
    assert_true(turn_may_write(f->turn));
}

static void put_more(struct turn_made *f)
{
    assert_int_equal(tm_put(f, "more"), ERR_OK);
    tm_out(f, "after more");
    turn_end(f->turn);
}

static void out_more(struct turn_made *f)
{
    tm_out(f, "more");
    turn_end(f->turn);
}

static void outs_may_queue_and_change_more(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    tm_out_then(f, "a", out_more);
    tm_out_then(f, "b", put_more);
    tm_out(f, "c");
    turn_end(f->turn);
    tm_answer(f, ERR_OK);
    /* "more" came after "c", and shares the open batch with what "b" changed. */
    tm_assert_seen(f, "a b c");
    assert_int_equal(f->kept, 2);
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "more after more");
    tm_put(f, "2");
    tm_out_then(f, "a", out_more);
    tm_out(f, "b");
    turn_end(f->turn);
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "a b more");
    tm_out_then(f, "d", put_more);
    tm_assert_seen(f, "d");
    tm_answer(f, ERR_OK);
    tm_assert_seen(f, "after more");
    assert_true(turn_is_idle(f->turn));
}

static void a_keeper_may_answer_at_once(void **state)
{
    struct turn_made *f = *state;
    f->at_once = true;
    tm_put(f, "1");
    tm_out_then(f, "a", put_more);
    turn_end(f->turn);
    tm_assert_seen(f, "a after more");
    assert_int_equal(f->kept, 2);
    assert_true(turn_is_idle(f->turn));
}

/* may_read: nothing on its way, the registry to be trusted. may_write: no input uncommitted. */
static void when_mqtt_may_be_read_and_written(void **state)
{
    struct turn_made *f = *state;
#define MAY(read, write)                                                                           \
    do {                                                                                           \
        assert_int_equal(turn_may_read(f->turn), read);                                            \
        assert_int_equal(turn_may_write(f->turn), write);                                          \
    } while (0)
    MAY(true, true);
    tm_put(f, "http");
    MAY(true, true);
    turn_end(f->turn);
    MAY(false, true); /* changes by HTTP hold no acknowledgement up */
    turn_mark_input(f->turn);
    MAY(false, true); /* nothing noted since */
    tm_put(f, "mqtt");
    MAY(false, false);
    tm_answer(f, ERR_OK);
    MAY(false, false); /* it is on its way */
    tm_answer(f, ERR_OK);
    MAY(true, true);
    turn_mark_input(f->turn);
    turn_end(f->turn); /* a message without a change */
    MAY(true, true);
    tm_put(f, "mqtt again"); /* still the same burst: the mark lasts until the hand-over */
    MAY(true, false);
    turn_end(f->turn);
    MAY(false, false);
    tm_answer(f, ERR_OK);
    tm_put(f, "http");
    turn_end(f->turn);
    MAY(false, true);
    tm_answer(f, ERR_NOT_KEPT);
    MAY(false, true);
    tm_answer_reload(f, ERR_OK);
    MAY(true, true);
    turn_tick(f->turn);
    MAY(false, true);
    tm_answer(f, ERR_OK);
    MAY(true, true);
#undef MAY
}

static void a_record_found_in_the_registry_may_be_put(void **state)
{
    struct turn_made *f = *state;
    tm_put(f, "1");
    assert_int_equal(turn_put(f->turn, REC_DEVICE, registry_device(turn_registry(f->turn), "1")),
                     ERR_OK);
    turn_end(f->turn);
    assert_int_equal(f->flight->count, 2);
    tm_answer(f, ERR_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, tm_set_up, tm_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(with_nothing_to_keep_an_out_leaves_at_once),
        CASE(nothing_leaves_before_its_commit_and_then_in_order),
        CASE(one_batch_is_on_its_way_and_the_next_gathers),
        CASE(what_may_come_late_goes_with_the_next_batch_or_the_tick),
        CASE(an_out_after_what_may_come_late_waits_for_it),
        CASE(what_may_come_late_holds_no_acknowledgement_up_until_it_is_on_its_way),
        CASE(changes_reach_the_keeper_in_their_order),
        CASE(an_open_batch_with_outs_alone_leaves_at_the_end_of_the_turn),
        CASE(after_a_commit_it_lets_out_then_reads_then_hands_over),
        CASE(outs_may_queue_and_change_more),
        CASE(a_keeper_may_answer_at_once),
        CASE(when_mqtt_may_be_read_and_written),
        CASE(a_record_found_in_the_registry_may_be_put),
    };
    return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
