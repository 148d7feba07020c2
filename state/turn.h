/* SPDX-License-Identifier: MIT
 *
 * The turn (DESIGN 2): in, think, keep, out. Actions change the registry through
 * turn_put()/turn_del(), which also note the change in the open batch, and leave with turn_out()
 * what is to happen when all of it is on disk. One batch is on its way at a time. When a commit
 * fails nothing of that batch or the open one leaves; the registry is loaded again, changes are
 * refused, and a probe is tried each second until one commits. Loop thread only. It knows no loop,
 * no store and no transport: it is given a keeper.
 */
#ifndef STATE_TURN_H
#define STATE_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/base/clock.h"
#include "server/base/err.h"
#include "state/batch.h"
#include "state/registry.h"

struct turn;

/* Where batches go. Each call is answered later, on the loop thread, by turn_kept() or
 * turn_reloaded(). */
struct turn_keeper {
    void (*keep)(void *owner, struct batch *batch); /* the batch stays the turn's */
    void (*reload)(void *owner);
    void *owner;
};

/* What leaves. `kept` is ERR_OK after the commit, else why it was not (ERR_NOT_KEPT,
 * ERR_DISK_FULL): then it must not leave, and whoever waits is told. Called exactly once. It may
 * note changes and queue more. */
typedef void turn_out_fn(void *arg, enum err kept);

/* The registry is the turn's from now on (unless NULL, out of memory, is returned). */
struct turn *turn_new(struct registry *registry, const struct turn_keeper *keeper,
                      const struct clock *clock);
/* The end of its work: outs that wait are called with ERR_STOPPING, what was not handed over is
 * dropped, and the keeper is asked for nothing more; what it still answers changes nothing. */
void turn_stop(struct turn *turn);
/* Stops it if that was not done. The keeper must be done with the batch on its way and answer no
 * more. */
void turn_free(struct turn *turn);

/* The registry as of now. Don't keep the pointer across turns: a reload replaces it. */
struct registry *turn_registry(struct turn *turn);
/* ERR_OK, or why changes are refused at the moment. Ask it before an action changes anything. */
enum err turn_ready(const struct turn *turn);
/* Changes the registry and notes the change. ERR_NOT_KEPT or ERR_DISK_FULL while changes are
 * refused. */
enum err turn_put(struct turn *turn, enum record_kind kind, const void *record);
enum err turn_del(struct turn *turn, enum record_kind kind, const void *record);
/* As turn_put(), for what nobody is told of and a crash may undo: it waits for the next batch that
 * must go, at most until turn_tick(). An out that comes after it still waits for it. */
enum err turn_put_late(struct turn *turn, enum record_kind kind, const void *record);
/* Calls `fn` once all that was noted so far is on disk: at once when nothing is uncommitted and
 * nothing waits, else in the order of the calls. Note changes first, then queue what depends on
 * them. */
void turn_out(struct turn *turn, turn_out_fn *fn, void *arg);
/* The end of each loop callback: hands the open batch over when none is on its way. */
void turn_end(struct turn *turn);
/* Each second or oftener: what turn_put_late() noted goes at the next turn_end(); retries while
 * changes are refused. */
void turn_tick(struct turn *turn);

/* The keeper's answers. */
void turn_kept(struct turn *turn, enum err result);
void turn_reloaded(struct turn *turn, struct registry *fresh,
                   enum err result); /* fresh: now the turn's */

/* MQTT input may be read: no batch is on its way and changes aren't being refused for want of a
 * reload. */
bool turn_may_read(const struct turn *turn);
/* MQTT output may be written: no MQTT input is uncommitted, but for what may come late. */
bool turn_may_write(const struct turn *turn);
/* Changes noted from now until the next hand-over came in by MQTT. */
void turn_mark_input(struct turn *turn);
/* Nothing noted, nothing on its way, nothing waiting. */
bool turn_is_idle(const struct turn *turn);
/* Called (may be NULL) with the keeper's answer after turn_kept/turn_reloaded did their work and
 * before the next batch is handed over (turn_end() does nothing meanwhile), so that adapters go on:
 * with ERR_OK they may read, after an error they end the link that brought what was lost. When
 * turn_ready() is ERR_OK there for the first time after trouble, the registry is a new one and
 * changes are taken again. */
void turn_on_settled(struct turn *turn, void (*fn)(void *arg, enum err result), void *arg);
/* For changing the store as a whole under the registry (import, restore): from the first call on
 * changes are refused, what was noted before still goes. True when all of it has: now the store may
 * be changed. Call again until then. */
bool turn_exclude(struct turn *turn);
/* The store was changed: load the registry again and, when a probe commits, take changes again. */
void turn_reload(struct turn *turn);
/* Why and since when (wall ms) changes are refused; ERR_OK and 0 when they aren't. For /readyz. */
enum err turn_trouble(const struct turn *turn, int64_t *since_at);

#endif
