/* SPDX-License-Identifier: MIT
 *
 * Retention: pictures that are too old, or too many bytes together, go, oldest first. What is to go
 * is found on the query thread, its rows are deleted in a turn, and the files follow the commit. It
 * knows nothing of alerts: one that still names a removed picture simply has none any more.
 */
#include "state/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "server/base/log.h"
#include "state/picture_priv.h"
#include "state/store_priv.h"

#define RUN_MAX 500

struct retain_run {
    struct pictures *pictures;
    struct turn *turn;
    int64_t now_at;
    size_t count;
    size_t too_old; /* the first of them; the others are over the limit of bytes */
    struct {
        char id[SECRET_ID_SIZE];
        int64_t bytes;
    } rows[RUN_MAX];
};

static void end_run(struct retain_run *run)
{
    run->pictures->retaining = false;
    pictures_unref(run->pictures);
    free(run);
}

static bool sum_bytes(struct sqlite3 *db, int64_t *total)
{
    struct sqlite3_stmt *stmt = NULL;
    bool read = sqlite3_prepare_v2(db, "SELECT coalesce(sum(bytes), 0) FROM pictures", -1, &stmt,
                                   NULL) == SQLITE_OK &&
                sqlite3_step(stmt) == SQLITE_ROW;
    if (read)
        *total = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return read;
}

/* Notes the oldest rows until one is neither too old nor over the limit. */
static bool collect(struct retain_run *run, struct sqlite3 *db, int64_t total)
{
    const struct pictures *pictures = run->pictures;
    struct sqlite3_stmt *stmt = NULL;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(db,
                           "SELECT id, created_at, bytes FROM pictures "
                           "ORDER BY created_at, id LIMIT ?",
                           -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_bind_int(stmt, 1, RUN_MAX) == SQLITE_OK)
        step = sqlite3_step(stmt);
    for (; step == SQLITE_ROW && run->count < RUN_MAX; step = sqlite3_step(stmt)) {
        const char *id = (const char *)sqlite3_column_text(stmt, 0);
        int64_t bytes = sqlite3_column_int64(stmt, 2);
        bool too_old = pictures->keep_ms > 0 &&
                       sqlite3_column_int64(stmt, 1) < run->now_at - pictures->keep_ms;
        bool too_much = pictures->keep_bytes > 0 && total > pictures->keep_bytes;
        if (id == NULL || (!too_old && !too_much))
            break;
        text_copy(run->rows[run->count].id, SECRET_ID_SIZE, id, strlen(id));
        run->rows[run->count++].bytes = bytes;
        run->too_old += too_old;
        total -= bytes;
    }
    sqlite3_finalize(stmt);
    return step == SQLITE_DONE || step == SQLITE_ROW;
}

/* The rows are gone for good: now the files may go too. */
static void rows_are_gone(void *arg, enum err kept)
{
    struct retain_run *run = arg;
    if (kept == ERR_OK && run->count > 0) {
        size_t too_old = run->too_old < run->count ? run->too_old : run->count;
        int64_t bytes = 0;
        for (size_t i = 0; i < run->count; i++) {
            bytes += run->rows[i].bytes;
            pictures_remove(run->pictures, run->rows[i].id);
        }
        log_info("pictures",
                 "%zu pictures (%.1f MB) removed: %zu older than %.1f days, %zu over the limit of "
                 "%.1f MB",
                 run->count, (double)bytes / 1048576, too_old,
                 (double)run->pictures->keep_ms / 86400000, run->count - too_old,
                 (double)run->pictures->keep_bytes / 1048576);
    }
    end_run(run);
}

static void found_on_loop(void *arg)
{
    struct retain_run *run = arg;
    const struct pictures *pictures = run->pictures;
    if (run->count == 0 || pictures->held > 0 || pictures->worker == NULL ||
        turn_ready(run->turn) != ERR_OK) {
        end_run(run);
        return;
    }
    size_t deleted = 0;
    for (; deleted < run->count; deleted++) {
        struct picture picture = {0};
        memcpy(picture.id, run->rows[deleted].id, sizeof picture.id);
        if (turn_del(run->turn, REC_PICTURE, &picture) != ERR_OK)
            break;
    }
    struct turn *turn = run->turn;
    run->count = deleted;
    turn_out(turn, rows_are_gone, run);
    turn_end(turn);
}

static void find_on_query_thread(void *arg, struct sqlite3 *db)
{
    struct retain_run *run = arg;
    int64_t total = 0;
    if (!sum_bytes(db, &total) || !collect(run, db, total)) {
        log_warn("pictures", "the pictures' rows can't be read: %s", sqlite3_errmsg(db));
        run->count = 0;
    }
    post_send(&run->pictures->post, found_on_loop, run);
}

void pictures_retain(struct pictures *pictures, struct store *store, struct turn *turn,
                     int64_t now_at)
{
    if (pictures->retaining || pictures->held > 0 || pictures->worker == NULL ||
        (pictures->keep_bytes <= 0 && pictures->keep_ms <= 0))
        return;
    struct retain_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return;
    run->pictures = pictures;
    run->turn = turn;
    run->now_at = now_at;
    pictures_ref(pictures);
    pictures->retaining = true;
    if (store_on_query_thread(store, find_on_query_thread, run) != ERR_OK)
        end_run(run);
}
