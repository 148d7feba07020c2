/* SPDX-License-Identifier: MIT
 *
 * The turn: what was noted, what waits for it, and the one batch on its way. It knows no loop, no
 * store and no transport.
 *
 *          turn_put, turn_out            hand_over                turn_kept
 *   open  ------------------->  open  ------------->  flight  ------------->  let out
 *
 *   GOOD --commit failed--> RELOADING --loaded--> REFUSING --probe committed--> GOOD
 *                            |     ^                |   ^
 *                 load failed|     |tick        tick|   |probe failed
 *                            v     |                v   |
 *                           UNLOADED                PROBING
 *
 *   GOOD --turn_exclude--> EXCLUDED --turn_reload--> RELOADING
 */
#include "state/turn.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#define RETRY_MS 1000

enum turn_state {
    TURN_GOOD,
    TURN_RELOADING,
    TURN_UNLOADED,
    TURN_REFUSING,
    TURN_PROBING,
    TURN_EXCLUDED
};

struct out {
    turn_out_fn *fn;
    void *arg;
    struct out *prev, *next;
};

struct turn_part {
    struct batch *batch; /* NULL: nothing noted */
    bool urgent;         /* somebody waits for it: not all of it was noted by turn_put_late() */
    struct out *outs;    /* oldest first */
    bool input;          /* marked as come in by MQTT */
};

struct turn {
    struct registry *registry;
    struct turn_keeper keeper;
    const struct clock *clock;
    enum turn_state state;
    enum err trouble; /* ERR_OK exactly in TURN_GOOD; ERR_STOPPING from turn_stop() on */
    int64_t since_at;
    int64_t tried_boot; /* when a probe or a reload was begun; -1: may be tried at once */
    struct turn_part open, flight;
    bool flying;     /* `flight` is with the keeper (a probe is too) */
    bool busy;       /* in turn_kept(), turn_reloaded() or a let-out: hand over at its end */
    bool lost_input; /* MQTT input was dropped and the link that brought it may still be there */
    void (*settled)(void *arg, enum err result);
    void *settled_arg;
};

struct turn *turn_new(struct registry *registry, const struct turn_keeper *keeper,
                      const struct clock *clock)
{
    struct turn *turn = calloc(1, sizeof(*turn));
    if (turn == NULL)
        return NULL;
    turn->registry = registry;
    turn->keeper = *keeper;
    turn->clock = clock;
    turn->tried_boot = -1;
    return turn;
}

static void run_outs(struct out **outs, enum err kept)
{
    while (*outs != NULL) {
        struct out *out = *outs;
        DL_DELETE(*outs, out);
        out->fn(out->arg, kept);
        free(out);
    }
}

static void drop_batch(struct turn_part *part)
{
    batch_free(part->batch);
    part->batch = NULL;
    part->urgent = part->input = false;
}

static bool has_changes(const struct turn_part *part)
{
    return part->batch != NULL && part->batch->count > 0;
}

static bool is_stopped(const struct turn *turn)
{
    return turn->trouble == ERR_STOPPING;
}

void turn_stop(struct turn *turn)
{
    if (turn == NULL || is_stopped(turn))
        return;
    turn->trouble = ERR_STOPPING;
    turn->lost_input = turn->open.input && turn->open.urgent;
    run_outs(&turn->flight.outs, ERR_STOPPING);
    run_outs(&turn->open.outs, ERR_STOPPING);
    drop_batch(&turn->open); /* the one on its way is the keeper's to read until it answers */
}

void turn_free(struct turn *turn)
{
    if (turn == NULL)
        return;
    turn_stop(turn);
    drop_batch(&turn->flight);
    registry_free(turn->registry);
    free(turn);
}

struct registry *turn_registry(struct turn *turn)
{
    return turn->registry;
}

enum err turn_ready(const struct turn *turn)
{
    return turn->trouble;
}

static enum err note(struct turn *turn, enum change_op op, enum record_kind kind,
                     const void *record)
{
    if (turn->trouble != ERR_OK)
        return turn->trouble;
    if (turn->open.batch == NULL)
        turn->open.batch = batch_new();
    if (turn->open.batch == NULL)
        return ERR_NO_MEMORY;
    struct batch *batch = turn->open.batch;
    enum err err = batch_add(batch, op, kind, record);
    if (err != ERR_OK)
        return err;
    err = registry_apply(turn->registry, op, kind, batch->changes[batch->count - 1].record);
    if (err != ERR_OK)
        batch_drop_last(batch);
    return err;
}

static enum err note_urgent(struct turn *turn, enum change_op op, enum record_kind kind,
                            const void *record)
{
    enum err err = note(turn, op, kind, record);
    if (err == ERR_OK)
        turn->open.urgent = true;
    return err;
}

enum err turn_put(struct turn *turn, enum record_kind kind, const void *record)
{
    return note_urgent(turn, CHANGE_PUT, kind, record);
}

enum err turn_del(struct turn *turn, enum record_kind kind, const void *record)
{
    return note_urgent(turn, CHANGE_DELETE, kind, record);
}

enum err turn_put_late(struct turn *turn, enum record_kind kind, const void *record)
{
    return note(turn, CHANGE_PUT, kind, record);
}

/* Whether the registry is what the disk has plus what was noted; when not, it was thrown away. */
static bool is_trustworthy(const struct turn *turn)
{
    return turn->state != TURN_RELOADING && turn->state != TURN_UNLOADED;
}

void turn_out(struct turn *turn, turn_out_fn *fn, void *arg)
{
    if (is_stopped(turn) || !is_trustworthy(turn)) {
        fn(arg, turn->trouble);
        return;
    }
    /* A probe changes nothing that anybody reads. */
    bool uncommitted =
        has_changes(&turn->open) || (turn->state != TURN_PROBING && has_changes(&turn->flight));
    bool waiting = turn->open.outs != NULL || turn->flight.outs != NULL || turn->busy;
    if (!uncommitted && !waiting) {
        fn(arg, ERR_OK);
        return;
    }
    struct out *out = calloc(1, sizeof(*out));
    if (out == NULL) {
        fn(arg, ERR_NO_MEMORY);
        return;
    }
    out->fn = fn;
    out->arg = arg;
    DL_APPEND(turn->open.outs, out);
}

/* Outs that wait for nothing but those before them. */
static void let_out_open(struct turn *turn)
{
    while (turn->open.outs != NULL && !has_changes(&turn->open)) {
        struct out *out = turn->open.outs;
        DL_DELETE(turn->open.outs, out);
        out->fn(out->arg, ERR_OK);
        free(out);
    }
}

static void hand_over(struct turn *turn)
{
    turn->flight = turn->open;
    turn->open = (struct turn_part){.batch = NULL};
    turn->flying = true;
    turn->keeper.keep(turn->keeper.owner, turn->flight.batch);
}

void turn_end(struct turn *turn)
{
    if (turn->flying || turn->busy || is_stopped(turn))
        return;
    turn->busy = true;
    let_out_open(turn);
    turn->busy = false;
    bool awaited = turn->open.urgent || turn->open.outs != NULL;
    if (has_changes(&turn->open) && awaited && !turn->flying)
        hand_over(turn);
}

static void settle(struct turn *turn, enum err result)
{
    if (turn->settled != NULL)
        turn->settled(turn->settled_arg, result);
}

static void kept_well(struct turn *turn)
{
    struct out *outs = turn->flight.outs;
    turn->flight.outs = NULL;
    drop_batch(&turn->flight);
    run_outs(&outs, ERR_OK);
    let_out_open(turn);
    settle(turn, ERR_OK);
}

static void begin_reload(struct turn *turn)
{
    turn->state = TURN_RELOADING;
    turn->tried_boot = clock_boot_ms(turn->clock);
    turn->keeper.reload(turn->keeper.owner);
}

static void kept_badly(struct turn *turn, enum err why)
{
    turn->trouble = why;
    turn->since_at = clock_wall_ms(turn->clock);
    turn->state = TURN_UNLOADED;
    turn->lost_input = turn->flight.input || turn->open.input;
    drop_batch(&turn->flight);
    drop_batch(&turn->open);
    run_outs(&turn->flight.outs, why);
    run_outs(&turn->open.outs, why);
    settle(turn, why);
    turn->lost_input = false;
}

static void probed(struct turn *turn, enum err result)
{
    if (result == ERR_OK) {
        const struct change *note = &turn->flight.batch->changes[0];
        /* Without memory for it the registry lacks a note that nobody reads. */
        (void)registry_apply(turn->registry, note->op, note->kind, note->record);
        turn->since_at = 0;
    }
    drop_batch(&turn->flight);
    turn->state = result == ERR_OK ? TURN_GOOD : TURN_REFUSING;
    turn->trouble = result;
    let_out_open(turn);
    settle(turn, result);
}

void turn_kept(struct turn *turn, enum err result)
{
    if (!turn->flying)
        return;
    if (result != ERR_OK && result != ERR_DISK_FULL)
        result = ERR_NOT_KEPT;
    turn->flying = false;
    if (is_stopped(turn)) {
        turn->lost_input = turn->lost_input || (result != ERR_OK && turn->flight.input);
        drop_batch(&turn->flight);
        return;
    }
    turn->busy = true;
    bool failed = false;
    if (turn->state == TURN_PROBING)
        probed(turn, result);
    else if (result == ERR_OK)
        kept_well(turn);
    else
        failed = true;
    if (failed)
        kept_badly(turn, result);
    turn->busy = false;
    if (failed)
        begin_reload(turn);
    else
        turn_end(turn);
}

void turn_reloaded(struct turn *turn, struct registry *fresh, enum err result)
{
    if (turn->state != TURN_RELOADING || is_stopped(turn)) {
        registry_free(fresh);
        return;
    }
    turn->busy = true;
    if (result == ERR_OK) {
        registry_free(turn->registry);
        turn->registry = fresh;
        turn->state = TURN_REFUSING;
        turn->tried_boot = -1;
    } else {
        registry_free(fresh);
        turn->state = TURN_UNLOADED;
    }
    settle(turn, result);
    let_out_open(turn);
    turn->busy = false;
}

bool turn_exclude(struct turn *turn)
{
    if (turn->state == TURN_GOOD && turn->trouble == ERR_OK) {
        turn->state = TURN_EXCLUDED;
        turn->trouble = ERR_NOT_KEPT;
        turn->since_at = clock_wall_ms(turn->clock);
    }
    return turn->state == TURN_EXCLUDED && turn_is_idle(turn);
}

void turn_reload(struct turn *turn)
{
    if (turn->state == TURN_EXCLUDED && !is_stopped(turn))
        begin_reload(turn);
}

/* The least that shows whether a commit works again. */
static void probe(struct turn *turn)
{
    struct meta meta = {.key = "probe"};
    clock_rfc3339(clock_wall_ms(turn->clock), meta.value);
    struct batch *batch = batch_new();
    if (batch == NULL || batch_add(batch, CHANGE_PUT, REC_META, &meta) != ERR_OK) {
        batch_free(batch);
        return;
    }
    turn->tried_boot = clock_boot_ms(turn->clock);
    turn->state = TURN_PROBING;
    turn->flight = (struct turn_part){.batch = batch};
    turn->flying = true;
    turn->keeper.keep(turn->keeper.owner, batch);
}

void turn_tick(struct turn *turn)
{
    turn->open.urgent = has_changes(&turn->open);
    if (turn->state != TURN_UNLOADED && turn->state != TURN_REFUSING)
        return;
    if (turn->flying || turn->busy || is_stopped(turn))
        return;
    if (turn->tried_boot >= 0 && clock_boot_ms(turn->clock) - turn->tried_boot < RETRY_MS)
        return;
    if (turn->state == TURN_UNLOADED)
        begin_reload(turn);
    else
        probe(turn);
}

bool turn_may_read(const struct turn *turn)
{
    return !turn->flying && is_trustworthy(turn);
}

bool turn_may_write(const struct turn *turn)
{
    return !turn->lost_input && !(turn->flying && turn->flight.input) &&
           !(turn->open.input && turn->open.urgent);
}

void turn_mark_input(struct turn *turn)
{
    turn->open.input = true;
}

bool turn_is_idle(const struct turn *turn)
{
    return !turn->flying && !turn->busy && turn->state != TURN_RELOADING &&
           turn->open.outs == NULL && !has_changes(&turn->open);
}

void turn_on_settled(struct turn *turn, void (*fn)(void *arg, enum err result), void *arg)
{
    turn->settled = fn;
    turn->settled_arg = arg;
}

enum err turn_trouble(const struct turn *turn, int64_t *since_at)
{
    *since_at = turn->trouble == ERR_OK ? 0 : turn->since_at;
    return turn->trouble;
}
