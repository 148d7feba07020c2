/* SPDX-License-Identifier: MIT
 *
 * The store itself; only for the files named store*.c.
 */
#ifndef STATE_STORE_OWN_H
#define STATE_STORE_OWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/post.h"
#include "server/base/worker.h"
#include "state/store.h"
#include "state/store_priv.h"

/* How long a lock of another connection is waited for. */
#define STORE_BUSY_MS 2000

struct store {
    char *path; /* of the database file; NULL: in memory */
    struct post post;
    struct worker *writer, *reader; /* reader: NULL in memory */
    struct sqlite3 *db;             /* the writer's, once it runs */
    struct sqlite3 *query_db;       /* the reader's; NULL in memory */
    struct sqlite3_stmt *put[REC_KINDS], *del[REC_KINDS];
    struct sqlite3_stmt *begin, *commit;
    int64_t opened_at, opened_boot; /* the same moment: the server's wall ms, this boot's ms */
    atomic_int fail_count, fail_error;
    /* Of the writer: */
    enum err kept;    /* how the last commit ended, so that the log tells changes only */
    bool checkpoints; /* whether the last one worked */
    int log_frames;   /* pages in the log (WAL) */
    long commits;
    long die_before, die_after; /* the kill tests' commit number; 0: none */
};

/* store_file.c */
enum err store_open_to_write(const char *data_dir, const char *path, struct sqlite3 **out,
                             struct cause *cause);
enum err store_open_in_memory(struct sqlite3 **out, struct cause *cause);
/* Copies all pages in one transaction of `to`. */
enum err store_copy_pages(struct sqlite3 *to, struct sqlite3 *from, const char *doing,
                          struct cause *cause);

/* store_keep.c: on the storage thread */
enum err store_keep_now(struct store *store, const struct batch *batch, struct cause *cause);
void store_checkpoint_now(struct store *store, bool all);
void store_watch_log(struct store *store);
void store_drop_statements(struct store *store);

/* store_load.c */
enum err store_load_from(struct sqlite3 *db, int64_t now_at, struct registry *registry,
                         struct cause *cause);
/* Now, on the clock that was given at the start. */
int64_t store_now(const struct store *store);

#endif
