/* SPDX-License-Identifier: MIT
 *
 * The turn on the real store: after whatever failed, memory is what the disk has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/store.h"
#include "state/turn.h"
#include "tests/unit/state/scratch.h"
#include "tests/unit/state/store_made.h"

struct rig {
    struct store_made *made;
    struct turn *turn;
    struct clock clock;
    int64_t now;
    bool settled;
};

static int64_t now(void *arg)
{
    return ((struct rig *)arg)->now;
}

static void kept(void *arg, enum err result)
{
    turn_kept(((struct rig *)arg)->turn, result);
}

static void keep(void *owner, struct batch *batch)
{
    store_keep(((struct rig *)owner)->made->store, batch, kept, owner);
}

static void reloaded(void *arg, struct registry *fresh, enum err result)
{
    turn_reloaded(((struct rig *)arg)->turn, fresh, result);
}

static void reload(void *owner)
{
    store_reload(((struct rig *)owner)->made->store, reloaded, owner);
}

static void settled(void *arg, enum err result)
{
    (void)result;
    ((struct rig *)arg)->settled = true;
}

static void start(struct rig *rig, struct store_made *made)
{
    *rig = (struct rig){.made = made, .now = 1000};
    rig->clock = (struct clock){.wall_ms = now, .boot_ms = now, .arg = rig};
    struct turn_keeper keeper = {keep, reload, rig};
    struct registry *registry = registry_new();
    struct cause cause;
    assert_int_equal(store_load(made->store, registry, &cause), ERR_OK);
    rig->turn = turn_new(registry, &keeper, &rig->clock);
    assert_non_null(rig->turn);
    turn_on_settled(rig->turn, settled, rig);
}

static void wait_settled(struct rig *rig)
{
    rig->settled = false;
    loop_queue_wait(&rig->made->queue, &rig->settled);
}

static void wait_good(struct rig *rig)
{
    while (turn_ready(rig->turn) != ERR_OK) {
        rig->now += 1000;
        turn_tick(rig->turn);
        wait_settled(rig);
    }
}

static void wait_idle(struct rig *rig)
{
    while (!turn_is_idle(rig->turn))
        wait_settled(rig);
}

struct promise {
    int number;
    bool *kept; /* by number */
};

static void told(void *arg, enum err result)
{
    struct promise *promise = arg;
    if (result == ERR_OK)
        promise->kept[promise->number] = true;
    free(promise);
}

static enum err put(struct rig *rig, int number, bool *list)
{
    struct device device = {.created_at = number};
    snprintf(device.id, sizeof(device.id), "d%d", number);
    enum err err = turn_put(rig->turn, REC_DEVICE, &device);
    if (err != ERR_OK)
        return err;
    struct promise *promise = malloc(sizeof(*promise));
    *promise = (struct promise){number, list};
    turn_out(rig->turn, told, promise);
    return ERR_OK;
}

/* Commits fail at random; what was told as kept, and only that, is in memory, and on disk. */
static void what_was_told_as_kept_is_what_there_is(void **state)
{
    struct store_made *made = *state;
    struct rig rig;
    enum { MANY = 600 };
    bool promised[MANY] = {false};
    size_t refused = 0, count = 0;
    srand(9);
    start(&rig, made);
    for (int i = 0; i < MANY; i++) {
        if (rand() % 40 == 0)
            store_fail_commits(made->store, 1 + rand() % 2,
                               rand() % 2 ? ERR_DISK_FULL : ERR_NOT_KEPT);
        refused += put(&rig, i, promised) != ERR_OK;
        if (rand() % 4 == 0)
            loop_queue_drain(&made->queue);
        turn_end(rig.turn);
        if (rand() % 3 == 0 && !turn_is_idle(rig.turn))
            wait_settled(&rig);
        if (rand() % 8 == 0) {
            rig.now += 700;
            turn_tick(rig.turn);
        }
        if (rand() % 60 == 0)
            wait_good(&rig);
    }
    store_fail_commits(made->store, 0, ERR_OK);
    turn_end(rig.turn);
    wait_idle(&rig);
    wait_good(&rig);
    wait_idle(&rig);
    struct registry *disk = made_reload(made);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof(id), "d%d", i);
        assert_int_equal(registry_device(disk, id) != NULL, promised[i]);
        assert_int_equal(registry_device(turn_registry(rig.turn), id) != NULL, promised[i]);
        count += promised[i];
    }
    assert_int_equal(registry_count(disk, REC_DEVICE), count);
    assert_in_range(count, 1, MANY - 1);
    assert_true(refused > 0);
    registry_free(disk);
    turn_free(rig.turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_told_as_kept_is_what_there_is, store_made_in_file,
                                        store_made_free),
        cmocka_unit_test_setup_teardown(what_was_told_as_kept_is_what_there_is,
                                        store_made_in_memory, store_made_free),
    };
    return cmocka_run_group_tests_name("turn_store", tests, NULL, NULL);
}
