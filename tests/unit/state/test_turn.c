/* SPDX-License-Identifier: MIT
 *
 * The turn with a keeper of the test's own: what leaves, when, in which order, and what happens
 * when a commit fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/turn.h"

struct fixture {
    struct turn *turn;
    struct batch *flight; /* with the keeper; NULL: none */
    int reloads;          /* asked and not yet answered */
    int kept, reloaded;   /* all that were asked */
    bool at_once;         /* the keeper answers inside the call */
    int64_t wall, boot;
    char seen[512]; /* what left: "a b! c(NOT_KEPT)" */
    struct clock clock;
};

static void see(struct fixture *f, const char *what)
{
    size_t at = strlen(f->seen);
    snprintf(f->seen + at, sizeof(f->seen) - at, "%s%s", at > 0 ? " " : "", what);
}

static void assert_seen(struct fixture *f, const char *expected)
{
    assert_string_equal(f->seen, expected);
    f->seen[0] = '\0';
}

static void keep(void *owner, struct batch *batch)
{
    struct fixture *f = owner;
    assert_null(f->flight);
    assert_true(batch->count > 0);
    f->kept++;
    f->flight = batch;
    if (f->at_once) {
        f->flight = NULL;
        turn_kept(f->turn, ERR_OK);
    }
}

static void reload(void *owner)
{
    struct fixture *f = owner;
    f->reloads++;
    f->reloaded++;
}

static int64_t wall_ms(void *arg)
{
    return ((struct fixture *)arg)->wall;
}

static int64_t boot_ms(void *arg)
{
    return ((struct fixture *)arg)->boot;
}

static struct fixture fixture;

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    memset(f, 0, sizeof(*f));
    f->wall = 1000000;
    f->clock = (struct clock){.wall_ms = wall_ms, .boot_ms = boot_ms, .arg = f};
    struct turn_keeper keeper = {keep, reload, f};
    f->turn = turn_new(registry_new(), &keeper, &f->clock);
    *state = f;
    return f->turn == NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    turn_free(f->turn);
    return 0;
}

/* An out that tells its name and how it left. */
struct named {
    struct fixture *f;
    const char *name;
    void (*then)(struct fixture *f);
};

static void named_out(void *arg, enum err kept)
{
    struct named *named = arg;
    char text[64];
    snprintf(text, sizeof(text), kept == ERR_OK ? "%s" : "%s(%s)", named->name, err_name(kept));
    see(named->f, text);
    if (named->then != NULL)
        named->then(named->f);
}

/* They live as long as the test: an out may leave much later. */
static void out_then(struct fixture *f, const char *name, void (*then)(struct fixture *f))
{
    static struct named pool[64];
    static size_t next;
    struct named *named = &pool[next++ % 64];
    *named = (struct named){f, name, then};
    turn_out(f->turn, named_out, named);
}

#define OUT(f, text)         out_then(f, text, NULL)
#define OUT_THEN(f, text, g) out_then(f, text, g)

static enum err put(struct fixture *f, const char *id)
{
    struct device device = {.created_at = 1};
    snprintf(device.id, sizeof(device.id), "%s", id);
    return turn_put(f->turn, REC_DEVICE, &device);
}

static void answer(struct fixture *f, enum err result)
{
    assert_non_null(f->flight);
    f->flight = NULL;
    turn_kept(f->turn, result);
}

static void answer_reload(struct fixture *f, enum err result)
{
    assert_int_equal(f->reloads, 1);
    f->reloads = 0;
    turn_reloaded(f->turn, result == ERR_OK ? registry_new() : NULL, result);
}

static bool has(struct fixture *f, const char *id)
{
    return registry_device(turn_registry(f->turn), id) != NULL;
}

static void with_nothing_to_keep_an_out_leaves_at_once(void **state)
{
    struct fixture *f = *state;
    OUT(f, "a");
    assert_seen(f, "a");
    turn_end(f->turn);
    assert_int_equal(f->kept, 0);
    assert_true(turn_is_idle(f->turn));
}

static void nothing_leaves_before_its_commit_and_then_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "1"), ERR_OK);
    assert_true(has(f, "1"));
    OUT(f, "a");
    OUT(f, "b");
    assert_int_equal(f->kept, 0); /* not before the end of the turn */
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    assert_int_equal(f->flight->count, 1);
    OUT(f, "reads what is uncommitted");
    assert_seen(f, "");
    assert_false(turn_is_idle(f->turn));
    answer(f, ERR_OK);
    assert_seen(f, "a b reads what is uncommitted");
    assert_true(turn_is_idle(f->turn));
}

static void one_batch_is_on_its_way_and_the_next_gathers(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT(f, "a");
    turn_end(f->turn);
    put(f, "2");
    OUT(f, "b");
    turn_end(f->turn);
    put(f, "3");
    OUT(f, "c");
    turn_end(f->turn);
    assert_int_equal(f->kept, 1);
    answer(f, ERR_OK);
    assert_seen(f, "a");
    assert_int_equal(f->kept, 2);
    assert_int_equal(f->flight->count, 2);
    answer(f, ERR_OK);
    assert_seen(f, "b c");
    assert_null(f->flight);
}

static void changes_reach_the_keeper_in_their_order(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    put(f, "2");
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
    assert_false(has(f, "1"));
    answer(f, ERR_OK);
}

static void an_open_batch_with_outs_alone_leaves_at_the_end_of_the_turn(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    turn_end(f->turn);
    OUT(f, "a");
    answer(f, ERR_OK);
    assert_seen(f, "a");
    assert_int_equal(f->kept, 1);
}

static void settled_end(void *arg, enum err result)
{
    struct fixture *f = arg;
    char text[64];
    snprintf(text, sizeof(text), "settled-%s", err_name(result));
    see(f, text);
}

static void settled_read(void *arg, enum err result)
{
    struct fixture *f = arg;
    settled_end(arg, result);
    if (f->kept > 1)
        return;
    assert_true(turn_may_read(f->turn));
    turn_mark_input(f->turn);
    put(f, "mqtt 1");
    turn_end(f->turn);
    put(f, "mqtt 2");
    turn_end(f->turn);
    OUT(f, "ack");
    assert_null(f->flight);
}

/* DESIGN 2: let out, read a burst of MQTT, think, hand over the next batch with all of it. */
static void after_a_commit_it_lets_out_then_reads_then_hands_over(void **state)
{
    struct fixture *f = *state;
    turn_on_settled(f->turn, settled_read, f);
    put(f, "1");
    OUT(f, "a");
    turn_end(f->turn);
    put(f, "http");
    OUT(f, "reply");
    turn_end(f->turn);
    answer(f, ERR_OK);
    assert_seen(f, "a settled-OK");
    assert_int_equal(f->flight->count, 3);
    assert_false(turn_may_write(f->turn));
    answer(f, ERR_OK);
    assert_seen(f, "reply ack settled-OK");
    assert_true(turn_may_write(f->turn));
}

static void put_more(struct fixture *f)
{
    assert_int_equal(put(f, "more"), ERR_OK);
    OUT(f, "after more");
    turn_end(f->turn);
}

static void out_more(struct fixture *f)
{
    OUT(f, "more");
    turn_end(f->turn);
}

static void outs_may_queue_and_change_more(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT_THEN(f, "a", out_more);
    OUT_THEN(f, "b", put_more);
    OUT(f, "c");
    turn_end(f->turn);
    answer(f, ERR_OK);
    /* "more" came after "c", and shares the open batch with what "b" changed. */
    assert_seen(f, "a b c");
    assert_int_equal(f->kept, 2);
    answer(f, ERR_OK);
    assert_seen(f, "more after more");
    put(f, "2");
    OUT_THEN(f, "a", out_more);
    OUT(f, "b");
    turn_end(f->turn);
    answer(f, ERR_OK);
    assert_seen(f, "a b more");
    OUT_THEN(f, "d", put_more);
    assert_seen(f, "d");
    answer(f, ERR_OK);
    assert_seen(f, "after more");
    assert_true(turn_is_idle(f->turn));
}

static void a_keeper_may_answer_at_once(void **state)
{
    struct fixture *f = *state;
    f->at_once = true;
    put(f, "1");
    OUT_THEN(f, "a", put_more);
    turn_end(f->turn);
    assert_seen(f, "a after more");
    assert_int_equal(f->kept, 2);
    assert_true(turn_is_idle(f->turn));
}

static void put_refused(struct fixture *f)
{
    see(f, err_name(put(f, "in the middle of it")));
    OUT(f, "late");
    turn_end(f->turn);
}

static void a_failed_commit_lets_nothing_of_both_batches_leave(void **state)
{
    struct fixture *f = *state;
    turn_on_settled(f->turn, settled_end, f);
    put(f, "1");
    OUT_THEN(f, "a", put_refused);
    turn_end(f->turn);
    put(f, "2");
    OUT(f, "b");
    turn_end(f->turn);
    f->wall = 2000000;
    answer(f, ERR_DISK_FULL);
    assert_seen(f, "a(DISK_FULL) DISK_FULL late(DISK_FULL) b(DISK_FULL) settled-DISK_FULL");
    assert_int_equal(f->kept, 1);
    assert_int_equal(f->reloads, 1);
    int64_t since_at = 0;
    assert_int_equal(turn_trouble(f->turn, &since_at), ERR_DISK_FULL);
    assert_int_equal(since_at, 2000000);
    assert_int_equal(turn_ready(f->turn), ERR_DISK_FULL);
}

static void a_thrown_away_registry_is_not_read(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    turn_end(f->turn);
    answer(f, ERR_NOT_KEPT);
    assert_false(turn_may_read(f->turn));
    assert_int_equal(put(f, "2"), ERR_NOT_KEPT);
    OUT(f, "read");
    assert_seen(f, "read(NOT_KEPT)");
    answer_reload(f, ERR_OK);
    assert_false(has(f, "1"));
    assert_true(turn_may_read(f->turn));
    OUT(f, "read");
    assert_seen(f, "read");
    assert_int_equal(put(f, "2"), ERR_NOT_KEPT);
    assert_int_equal(turn_del(f->turn, REC_DEVICE, &(struct device){.id = "1"}), ERR_NOT_KEPT);
}

static void probes_are_tried_once_a_second_until_one_commits(void **state)
{
    struct fixture *f = *state;
    turn_on_settled(f->turn, settled_end, f);
    put(f, "1");
    turn_end(f->turn);
    answer(f, ERR_NOT_KEPT);
    turn_tick(f->turn);
    assert_int_equal(f->kept, 1); /* not before the reload */
    answer_reload(f, ERR_OK);
    f->seen[0] = '\0';
    turn_tick(f->turn);
    assert_int_equal(f->kept, 2);
    assert_int_equal(f->flight->count, 1);
    assert_int_equal(f->flight->changes[0].kind, REC_META);
    assert_string_equal(((struct meta *)f->flight->changes[0].record)->key, "probe");
    OUT(f, "read beside the probe");
    assert_seen(f, "read beside the probe");
    assert_false(turn_may_read(f->turn));
    turn_tick(f->turn);
    answer(f, ERR_DISK_FULL);
    assert_seen(f, "settled-DISK_FULL");
    assert_int_equal(turn_ready(f->turn), ERR_DISK_FULL);
    assert_int_equal(f->reloads, 0); /* nothing was lost with it */
    f->boot += 999;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 2);
    f->boot += 1;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 3);
    assert_int_equal(put(f, "2"), ERR_DISK_FULL);
    answer(f, ERR_OK);
    assert_seen(f, "settled-OK");
    int64_t since_at = 1;
    assert_int_equal(turn_trouble(f->turn, &since_at), ERR_OK);
    assert_int_equal(since_at, 0);
    assert_non_null(registry_meta(turn_registry(f->turn), "probe"));
    assert_int_equal(put(f, "2"), ERR_OK);
    turn_end(f->turn);
    answer(f, ERR_OK);
    turn_tick(f->turn);
    assert_int_equal(f->kept, 4);
}

static void a_failed_reload_is_tried_again(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    turn_end(f->turn);
    answer(f, ERR_NOT_KEPT);
    answer_reload(f, ERR_IO);
    assert_false(turn_may_read(f->turn));
    OUT(f, "read");
    assert_seen(f, "read(NOT_KEPT)");
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 0);
    f->boot += 1000;
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 1);
    turn_tick(f->turn);
    assert_int_equal(f->reloads, 1);
    answer_reload(f, ERR_OK);
    turn_tick(f->turn);
    answer(f, ERR_OK);
    assert_int_equal(turn_ready(f->turn), ERR_OK);
}

static void every_other_failure_is_told_as_not_kept(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT(f, "a");
    turn_end(f->turn);
    answer(f, ERR_CORRUPT);
    assert_seen(f, "a(NOT_KEPT)");
}

/* may_read: nothing on its way, the registry to be trusted. may_write: no input uncommitted. */
static void when_mqtt_may_be_read_and_written(void **state)
{
    struct fixture *f = *state;
#define MAY(read, write)                                                                           \
    do {                                                                                           \
        assert_int_equal(turn_may_read(f->turn), read);                                            \
        assert_int_equal(turn_may_write(f->turn), write);                                          \
    } while (0)
    MAY(true, true);
    put(f, "http");
    MAY(true, true);
    turn_end(f->turn);
    MAY(false, true); /* changes by HTTP hold no acknowledgement up */
    turn_mark_input(f->turn);
    MAY(false, true); /* nothing noted since */
    put(f, "mqtt");
    MAY(false, false);
    answer(f, ERR_OK);
    MAY(false, false); /* it is on its way */
    answer(f, ERR_OK);
    MAY(true, true);
    turn_mark_input(f->turn);
    turn_end(f->turn); /* a message without a change */
    MAY(true, true);
    put(f, "mqtt again"); /* still the same burst: the mark lasts until the hand-over */
    MAY(true, false);
    turn_end(f->turn);
    MAY(false, false);
    answer(f, ERR_OK);
    put(f, "http");
    turn_end(f->turn);
    MAY(false, true);
    answer(f, ERR_NOT_KEPT);
    MAY(false, true);
    answer_reload(f, ERR_OK);
    MAY(true, true);
    turn_tick(f->turn);
    MAY(false, true);
    answer(f, ERR_OK);
    MAY(true, true);
#undef MAY
}

static void settled_lost(void *arg, enum err result)
{
    struct fixture *f = arg;
    see(f, turn_may_write(f->turn) ? "may write" : "may not write");
    settled_end(arg, result);
}

/* Until the link that brought it was ended, an acknowledgement of what was lost could still go. */
static void lost_input_is_not_acknowledged(void **state)
{
    struct fixture *f = *state;
    turn_on_settled(f->turn, settled_lost, f);
    turn_mark_input(f->turn);
    put(f, "mqtt");
    turn_end(f->turn);
    answer(f, ERR_NOT_KEPT);
    assert_seen(f, "may not write settled-NOT_KEPT");
    assert_true(turn_may_write(f->turn));
    answer_reload(f, ERR_OK);
}

static void an_excluded_turn_keeps_what_was_noted_and_takes_nothing_more(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT(f, "a");
    assert_false(turn_exclude(f->turn));
    assert_int_equal(put(f, "2"), ERR_NOT_KEPT);
    turn_end(f->turn);
    assert_false(turn_exclude(f->turn));
    answer(f, ERR_OK);
    assert_seen(f, "a");
    assert_true(turn_exclude(f->turn));
    f->boot += 5000;
    turn_tick(f->turn);
    assert_int_equal(f->kept, 1);
    OUT(f, "the old state");
    assert_seen(f, "the old state");
    turn_reload(f->turn);
    OUT(f, "neither");
    assert_seen(f, "neither(NOT_KEPT)");
    assert_false(turn_exclude(f->turn));
    answer_reload(f, ERR_OK);
    assert_false(has(f, "1"));
    turn_tick(f->turn);
    answer(f, ERR_OK);
    assert_int_equal(put(f, "2"), ERR_OK);
    turn_end(f->turn);
    answer(f, ERR_OK);
    turn_reload(f->turn);
    assert_int_equal(f->reloads, 0);
}

/* Then the store is not changed under it: it must be asked again when all is well. */
static void an_exclusion_ends_when_the_last_commit_before_it_fails(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    turn_end(f->turn);
    assert_false(turn_exclude(f->turn));
    answer(f, ERR_DISK_FULL);
    assert_false(turn_exclude(f->turn));
    answer_reload(f, ERR_OK);
    assert_false(turn_exclude(f->turn));
    turn_tick(f->turn);
    assert_false(turn_exclude(f->turn));
    answer(f, ERR_OK);
    assert_true(turn_exclude(f->turn));
}

static void a_record_found_in_the_registry_may_be_put(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    assert_int_equal(turn_put(f->turn, REC_DEVICE, registry_device(turn_registry(f->turn), "1")),
                     ERR_OK);
    turn_end(f->turn);
    assert_int_equal(f->flight->count, 2);
    answer(f, ERR_OK);
}

static void what_still_waits_is_told_that_the_server_stops(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT_THEN(f, "a", put_refused);
    turn_end(f->turn);
    put(f, "2");
    OUT(f, "b");
    struct turn *turn = f->turn;
    turn_free(turn);
    assert_seen(f, "a(STOPPING) STOPPING late(STOPPING) b(STOPPING)");
    set_up(state);
}

static void after_a_stop_nothing_more_is_asked_of_the_keeper(void **state)
{
    struct fixture *f = *state;
    put(f, "1");
    OUT(f, "a");
    turn_end(f->turn);
    put(f, "2");
    turn_stop(f->turn);
    assert_seen(f, "a(STOPPING)");
    answer(f, ERR_DISK_FULL);
    OUT(f, "b");
    turn_tick(f->turn);
    turn_end(f->turn);
    turn_reload(f->turn);
    assert_seen(f, "b(STOPPING)");
    assert_null(f->flight);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(with_nothing_to_keep_an_out_leaves_at_once),
        CASE(nothing_leaves_before_its_commit_and_then_in_order),
        CASE(one_batch_is_on_its_way_and_the_next_gathers),
        CASE(changes_reach_the_keeper_in_their_order),
        CASE(an_open_batch_with_outs_alone_leaves_at_the_end_of_the_turn),
        CASE(after_a_commit_it_lets_out_then_reads_then_hands_over),
        CASE(outs_may_queue_and_change_more),
        CASE(a_keeper_may_answer_at_once),
        CASE(a_failed_commit_lets_nothing_of_both_batches_leave),
        CASE(a_thrown_away_registry_is_not_read),
        CASE(probes_are_tried_once_a_second_until_one_commits),
        CASE(a_failed_reload_is_tried_again),
        CASE(every_other_failure_is_told_as_not_kept),
        CASE(when_mqtt_may_be_read_and_written),
        CASE(lost_input_is_not_acknowledged),
        CASE(an_excluded_turn_keeps_what_was_noted_and_takes_nothing_more),
        CASE(an_exclusion_ends_when_the_last_commit_before_it_fails),
        CASE(a_record_found_in_the_registry_may_be_put),
        CASE(what_still_waits_is_told_that_the_server_stops),
        CASE(after_a_stop_nothing_more_is_asked_of_the_keeper),
    };
    return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
