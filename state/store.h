/* SPDX-License-Identifier: MIT
 *
 * What lasts: SQLite (WAL, synchronous=FULL) behind two calls: keep this batch, tell me when;
 * answer this query, tell me when. One thread writes; one more, with a read-only connection,
 * answers queries over history. It knows no loop: it is given a `struct post`. Nobody outside
 * state/ sees SQL or sqlite3.h.
 */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/post.h"
#include "state/batch.h"
#include "state/registry.h"

struct store;

struct store_options {
    const char *data_dir; /* the file is DATA_DIR/gatehouse.db; NULL: in memory, for tests (queries
        then run on the storage thread) */
    struct post post;
    int64_t now_at; /* wall ms: ended commands and closed alerts older than a minute before aren't
                       loaded */
};

/* Opens, checks (quick_check) and migrates, on the caller's thread, before the loop runs. Never
 * silently empty: a damaged file is ERR_CORRUPT, one from a newer version ERR_NEWER, both left as
 * they are with a cause that says what to do. Before a migration a copy "gatehouse.db.before-vN" is
 * made. */
enum err store_open(const struct store_options *options, struct store **out, struct cause *cause);
/* Ends both threads after what is queued, checkpoints, closes. NULL is fine. */
void store_close(struct store *store);
/* Fills a fresh registry; at the start only, before anything is queued. */
enum err store_load(struct store *store, struct registry *registry, struct cause *cause);

typedef void store_done_fn(void *arg, enum err result);
/* Keeps all of the batch in one transaction or none; `done` comes through post. The batch must live
 * until then. ERR_OK, ERR_DISK_FULL or ERR_NOT_KEPT (the log has the cause). New door_log rows get
 * their number here. */
void store_keep(struct store *store, const struct batch *batch, store_done_fn *done, void *arg);
typedef void store_reloaded_fn(void *arg, struct registry *fresh, enum err result);
/* Loads a new registry from disk; it belongs to the receiver. */
void store_reload(struct store *store, store_reloaded_fn *done, void *arg);
/* Puts the database of the backup at `path` (its folder or the file itself) in the place of this
 * one, in one transaction, after checking it; one of an older version is migrated on its way.
 * ERR_NOT_FOUND, ERR_CORRUPT, ERR_NEWER, ERR_DISK_FULL, ERR_IO (the log has the cause): then
 * nothing has changed. The registry must be loaded again: turn_exclude() before, turn_reload()
 * after. */
void store_restore(struct store *store, const char *path, store_done_fn *done, void *arg);

/* A query reads records of one kind: WHERE all given equal, in the order of a column, some of them.
 */
struct store_query {
    enum record_kind kind;
    struct {
        const char *column; /* a name from the record table */
        const char *equals;
    } where[4];        /* ends at a NULL column */
    const char *order; /* column; NULL: the key */
    bool descending;
    int limit; /* 1 to 1000 */
};
/* `rows` are `count` pointers to records, freed after the call; copy what is to stay. Not for MQTT
 * or HTTP input to name columns: columns come from code. The strings are copied before the call
 * returns. */
typedef void store_rows_fn(void *arg, void *const *rows, size_t count, enum err result);
void store_query(struct store *store, const struct store_query *query, store_rows_fn *done,
                 void *arg);

/* Removes what is older than `before_at` from the log of the door, ended commands, and sent alerts
 * whose picture is gone; in small transactions between the batches. The log says how much went. */
void store_prune(struct store *store, int64_t before_at);

/* For tests and fault drills: the next `count` commits fail with `error`. */
void store_fail_commits(struct store *store, int count, enum err error);

#endif
