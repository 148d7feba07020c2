/* SPDX-License-Identifier: MIT
 *
 * Reading history on the query thread, and taking away what is too old on the storage thread. It
 * knows no place where the answers go.
 */
#include "state/store_own.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"

#define WHERE_MAX                                                                                  \
    (sizeof(((struct store_query *)0)->where) / sizeof(((struct store_query *)0)->where[0]))
#define ROWS_MAX 1000

struct query_job {
    struct store *store;
    enum record_kind kind;
    char *sql; /* behind FROM */
    char *equals[WHERE_MAX];
    int limit;
    store_rows_fn *done;
    void *arg;
    void **rows;
    size_t count;
    enum err result;
};

static void query_free(struct query_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        record_free(job->kind, job->rows[i]);
    for (size_t i = 0; i < WHERE_MAX; i++)
        free(job->equals[i]);
    free(job->rows);
    free(job->sql);
    free(job);
}

static bool has_column(enum record_kind kind, const char *name)
{
    for (const struct column *c = record_types[kind].columns; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return true;
    return false;
}

static void add_order(struct buf *sql, const struct store_query *query)
{
    const char *direction = query->descending ? "DESC" : "ASC";
    if (query->order != NULL) {
        /* Of equals the one that was kept last counts as the later. */
        buf_addf(sql, " ORDER BY \"%s\" %s, rowid %s", query->order, direction, direction);
        return;
    }
    const struct column *columns = record_types[query->kind].columns;
    for (const struct column *c = columns; c->name != NULL && c->key; c++)
        buf_addf(sql, "%s \"%s\" %s", c == columns ? " ORDER BY" : ",", c->name, direction);
}

static enum err query_sql(const struct store_query *query, char **out)
{
    struct buf sql;
    buf_init(&sql, 1024);
    if (query->limit < 1 || query->limit > ROWS_MAX)
        return ERR_BAD_INPUT;
    if (query->order != NULL && !has_column(query->kind, query->order))
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < WHERE_MAX && query->where[i].column != NULL; i++) {
        if (!has_column(query->kind, query->where[i].column) || query->where[i].equals == NULL) {
            buf_free(&sql);
            return ERR_BAD_INPUT;
        }
        buf_addf(&sql, "%s \"%s\" = ?", i == 0 ? "WHERE" : " AND", query->where[i].column);
    }
    add_order(&sql, query);
    buf_addf(&sql, " LIMIT %d", query->limit);
    *out = buf_take(&sql);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static enum err query_new(struct store *store, const struct store_query *query,
                          struct query_job **out)
{
    struct query_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return ERR_NO_MEMORY;
    job->store = store;
    job->kind = query->kind;
    job->limit = query->limit;
    enum err err = query_sql(query, &job->sql);
    for (size_t i = 0; err == ERR_OK && i < WHERE_MAX && query->where[i].column != NULL; i++) {
        job->equals[i] = strdup(query->where[i].equals);
        if (job->equals[i] == NULL)
            err = ERR_NO_MEMORY;
    }
    if (err == ERR_OK) {
        job->rows = calloc((size_t)query->limit, sizeof(*job->rows));
        if (job->rows == NULL)
            err = ERR_NO_MEMORY;
    }
    if (err != ERR_OK) {
        query_free(job);
        return err;
    }
    *out = job;
    return ERR_OK;
}

static void query_answer(void *arg)
{
    struct query_job *job = arg;
    job->done(job->arg, job->rows, job->result == ERR_OK ? job->count : 0, job->result);
    query_free(job);
}

static enum err read_rows(struct query_job *job, struct sqlite3_stmt *stmt, struct cause *cause)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && job->count < (size_t)job->limit) {
        void *record = calloc(1, record_types[job->kind].size);
        if (record == NULL)
            return cause_set(cause, ERR_NO_MEMORY, "out of memory");
        job->rows[job->count++] = record;
        enum err err = store_read_row(stmt, job->kind, record);
        if (err != ERR_OK)
            return cause_set(cause, err, "a row of %s: %s", record_types[job->kind].table,
                             err_message(err));
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        return store_db_error(sqlite3_db_handle(stmt), "reading history", cause);
    return ERR_OK;
}

static void query_run(void *arg, struct sqlite3 *db)
{
    struct query_job *job = arg;
    struct sqlite3_stmt *stmt = NULL;
    struct cause cause = {.text = ""};
    int rc = store_prepare_select(db, job->kind, job->sql, &stmt);
    for (int i = 0; rc == SQLITE_OK && i < (int)WHERE_MAX && job->equals[i] != NULL; i++)
        rc = sqlite3_bind_text(stmt, i + 1, job->equals[i], -1, SQLITE_STATIC);
    job->result = rc == SQLITE_OK ? read_rows(job, stmt, &cause)
                                  : store_db_error(db, "reading history", &cause);
    sqlite3_finalize(stmt);
    if (job->result != ERR_OK)
        log_warn("store", "%s", cause.text);
    struct post post = job->store->post;
    post_send(&post, query_answer, job);
}

void store_query(struct store *store, const struct store_query *query, store_rows_fn *done,
                 void *arg)
{
    struct query_job *job;
    enum err err = query_new(store, query, &job);
    if (err == ERR_OK) {
        job->done = done;
        job->arg = arg;
        err = store_on_query_thread(store, query_run, job);
        if (err != ERR_OK)
            query_free(job);
    }
    if (err != ERR_OK)
        done(arg, NULL, 0, err);
}

/* What goes, a piece at a time: with more at once a door would wait. */
static const struct prune_step {
    const char *what, *sql;
} prune_steps[] = {
    {"rows of the log of the door", "DELETE FROM door_log WHERE seq IN"
                                    " (SELECT seq FROM door_log WHERE logged_at < ? LIMIT 500)"},
    {"commands", "DELETE FROM commands WHERE rowid IN (SELECT rowid FROM commands"
                 " WHERE created_at < ? AND NOT " STORE_OPEN_COMMAND " LIMIT 500)"},
    {"alerts", "DELETE FROM alerts WHERE rowid IN (SELECT rowid FROM alerts"
               " WHERE created_at < ? AND sent_at <> 0"
               " AND NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.alert_id = alerts.id)"
               " LIMIT 500)"},
};
#define PRUNE_STEPS (sizeof(prune_steps) / sizeof(prune_steps[0]))

struct prune_job {
    struct store *store;
    int64_t before_at;
    size_t step;
    int gone; /* in this step */
};

static enum err prune_piece(struct sqlite3 *db, const struct prune_job *job, int *gone,
                            struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    enum err err = ERR_OK;
    int rc = sqlite3_prepare_v2(db, prune_steps[job->step].sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(stmt, 1, job->before_at);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE)
        *gone = sqlite3_changes(db);
    else
        err = store_db_error(db, "removing what is too old", cause);
    sqlite3_finalize(stmt);
    return err;
}

static void prune_log(const struct prune_job *job)
{
    char before[CLOCK_TEXT_MAX];
    if (job->gone > 0)
        log_info("store", "%d %s from before %s removed", job->gone, prune_steps[job->step].what,
                 clock_rfc3339(job->before_at, before));
}

static void prune_run(void *arg, struct sqlite3 *db)
{
    struct prune_job *job = arg;
    struct cause cause = {.text = ""};
    int gone = 0;
    if (prune_piece(db, job, &gone, &cause) != ERR_OK) {
        log_warn("store", "%s", cause.text);
        prune_log(job);
        free(job);
        return;
    }
    job->gone += gone;
    if (gone == 0) {
        prune_log(job);
        job->step++;
        job->gone = 0;
    }
    if (job->step == PRUNE_STEPS || store_on_storage_thread(job->store, prune_run, job) != ERR_OK)
        free(job);
}

void store_prune(struct store *store, int64_t before_at)
{
    struct prune_job *job = malloc(sizeof(*job));
    if (job == NULL)
        return;
    *job = (struct prune_job){store, before_at, 0, 0};
    if (store_on_storage_thread(store, prune_run, job) != ERR_OK)
        free(job);
}
