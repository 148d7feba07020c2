/* SPDX-License-Identifier: MIT
 *
 * A data folder with a store and a turn over it, as the server puts them together, on a loop of the
 * test's own.
 */
#ifndef TESTS_UNIT_STATE_HOUSE_H
#define TESTS_UNIT_STATE_HOUSE_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/clock.h"
#include "state/records.h"
#include "state/store.h"
#include "state/turn.h"
#include "tests/unit/state/loop_queue.h"

#define HOUSE_NOW INT64_C(1767323045678) /* 2026-01-02T03:04:05.678Z */

struct house {
    char *data_dir;
    struct loop_queue loop;
    struct clock clock; /* stands at HOUSE_NOW */
    struct store *store;
    struct turn *turn;
};

void house_open(struct house *house);
/* Ends store and turn and keeps the folder; house_close() does so too and removes it. */
void house_stop(struct house *house);
void house_close(struct house *house);
/* Notes one put; house_commit() has all of them on disk. */
void house_put(struct house *house, enum record_kind kind, const void *record);
void house_commit(struct house *house);
/* How many rows of that kind the disk has, at most 1000. */
size_t house_count(struct house *house, enum record_kind kind);
/* A picture of `bytes` bytes with its file and its row (not yet committed). */
struct picture house_add_picture(struct house *house, int64_t created_at, size_t bytes);
/* DATA_DIR/pictures/ab/abcd...; scratch_path()'s storage. */
const char *house_picture_path(struct house *house, const char *id);

#endif
