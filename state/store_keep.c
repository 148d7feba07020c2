/* SPDX-License-Identifier: MIT
 *
 * One batch, one transaction; and the log (WAL) moved into the database between the batches. On the
 * storage thread. It knows nobody who waits.
 */
#include "state/store_own.h"

#include <signal.h>
#include <stdio.h>

#include "server/base/log.h"

/* About 4 MB and 64 MB of pages. From the first on what no reader needs is moved, from the second
 * on the log is cut as well. Neither waits for a reader: a later batch finds the place. */
#define LOG_FRAMES_CHECKPOINT 1000
#define LOG_FRAMES_CUT        16000

static enum err prepare(struct store *store, const struct change *change,
                        struct sqlite3_stmt **stmt)
{
    bool is_put = change->op == CHANGE_PUT;
    struct sqlite3_stmt **kept = is_put ? &store->put[change->kind] : &store->del[change->kind];
    int rc = SQLITE_OK;
    if (*kept == NULL)
        rc = is_put ? store_prepare_put(store->db, change->kind, kept)
                    : store_prepare_delete(store->db, change->kind, kept);
    *stmt = *kept;
    return rc == SQLITE_OK ? ERR_OK : ERR_NOT_KEPT;
}

static enum err apply(struct store *store, const struct change *change, struct cause *cause)
{
    struct sqlite3_stmt *stmt;
    const char *table = record_types[change->kind].table;
    if (prepare(store, change, &stmt) != ERR_OK)
        return store_db_error(store->db, table, cause);
    int rc = store_bind(stmt, change->kind, change->record, change->op == CHANGE_DELETE);
    enum err err = ERR_OK;
    if (rc != SQLITE_OK)
        err = cause_set(cause, ERR_NOT_KEPT, "%s: a value that can't be stored (SQLite code %d)",
                        table, rc);
    else if (sqlite3_step(stmt) != SQLITE_DONE)
        err = store_db_error(store->db, table, cause);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return err;
}

/* BEGIN or COMMIT, prepared once. */
static int run(struct store *store, struct sqlite3_stmt **kept, const char *sql)
{
    int rc = SQLITE_OK;
    if (*kept == NULL)
        rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(*kept);
    sqlite3_reset(*kept);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum err injected(struct store *store, struct cause *cause)
{
    if (atomic_load(&store->fail_count) <= 0)
        return ERR_OK;
    atomic_fetch_sub(&store->fail_count, 1);
    return cause_set(cause, (enum err)atomic_load(&store->fail_error),
                     "this commit was told to fail");
}

static enum err commit(struct store *store, struct cause *cause)
{
    enum err err = injected(store, cause);
    if (err != ERR_OK)
        return err;
    store->commits++;
    if (store->commits == store->die_before)
        raise(SIGKILL);
    if (run(store, &store->commit, "COMMIT") != SQLITE_OK)
        return store_db_error(store->db, "committing", cause);
    if (store->commits == store->die_after)
        raise(SIGKILL);
    return ERR_OK;
}

static enum err keep(struct store *store, const struct batch *batch, struct cause *cause)
{
    if (run(store, &store->begin, "BEGIN IMMEDIATE") != SQLITE_OK)
        return store_db_error(store->db, "beginning a transaction", cause);
    for (size_t i = 0; i < batch->count; i++) {
        enum err err = apply(store, &batch->changes[i], cause);
        if (err != ERR_OK)
            return err;
    }
    return commit(store, cause);
}

enum err store_keep_now(struct store *store, const struct batch *batch, struct cause *cause)
{
    enum err err = keep(store, batch, cause);
    if (sqlite3_get_autocommit(store->db) == 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    if (err != ERR_OK && err != ERR_DISK_FULL)
        err = ERR_NOT_KEPT;
    if (err != ERR_OK && err != store->kept)
        log_error("store", "changes can't be stored: %s", cause->text);
    if (err == ERR_OK && store->kept != ERR_OK)
        log_info("store", "changes are stored again");
    store->kept = err;
    return err;
}

static int count_frames(void *arg, struct sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct store *)arg)->log_frames = frames;
    return SQLITE_OK;
}

void store_watch_log(struct store *store)
{
    if (store->path != NULL)
        sqlite3_wal_hook(store->db, count_frames, store);
    store->checkpoints = true;
}

void store_checkpoint_now(struct store *store, bool all)
{
    if (store->path == NULL || (!all && store->log_frames < LOG_FRAMES_CHECKPOINT))
        return;
    bool cut = all || store->log_frames >= LOG_FRAMES_CUT;
    int left = 0;
    sqlite3_busy_timeout(store->db, 0);
    int rc = sqlite3_wal_checkpoint_v2(
        store->db, NULL, cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &left, NULL);
    struct cause cause = {.text = ""};
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        store_db_error(store->db, "moving the log into the database", &cause);
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    bool works = rc == SQLITE_OK || rc == SQLITE_BUSY;
    if (!works && store->checkpoints)
        log_warn("store", "%s", cause.text);
    store->checkpoints = works;
    if (works)
        store->log_frames = 0;
}

void store_drop_statements(struct store *store)
{
    for (int kind = 0; kind < REC_KINDS; kind++) {
        sqlite3_finalize(store->put[kind]);
        sqlite3_finalize(store->del[kind]);
        store->put[kind] = store->del[kind] = NULL;
    }
    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    store->begin = store->commit = NULL;
}
