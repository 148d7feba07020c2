/* SPDX-License-Identifier: MIT
 *
 * The store's life and its two threads: what is asked becomes a job, what is answered comes back
 * through post. SQL and files are its neighbours' (store_*.c).
 */
#include "state/store_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"

/* GATEHOUSE_TEST_DIE_BEFORE_COMMIT=N and ..._AFTER_COMMIT=N end the process around its Nth commit,
 * as kill -9 does. */
static long commit_number(const char *variable)
{
    const char *text = getenv(variable);
    return text == NULL ? 0 : strtol(text, NULL, 10);
}

static enum err connect_store(struct store *store, const char *data_dir, struct cause *cause)
{
    if (data_dir == NULL)
        return store_open_in_memory(&store->db, cause);
    if (asprintf(&store->path, "%s/%s", data_dir, STORE_FILE) < 0) {
        store->path = NULL;
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", data_dir);
    }
    enum err err = store_open_to_write(data_dir, store->path, &store->db, cause);
    if (err == ERR_OK)
        err = store_open_readonly(store->path, &store->query_db, cause);
    if (err == ERR_OK)
        err = worker_new("query", &store->reader, cause);
    return err;
}

enum err store_open(const struct store_options *options, struct store **out, struct cause *cause)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "the store: out of memory");
    struct clock clock;
    clock_init_system(&clock);
    store->post = options->post;
    store->opened_at = options->now_at;
    store->opened_boot = clock_boot_ms(&clock);
    store->die_before = commit_number("GATEHOUSE_TEST_DIE_BEFORE_COMMIT");
    store->die_after = commit_number("GATEHOUSE_TEST_DIE_AFTER_COMMIT");
    enum err err = connect_store(store, options->data_dir, cause);
    if (err == ERR_OK) {
        store_watch_log(store);
        err = worker_new("store", &store->writer, cause);
    }
    if (err != ERR_OK) {
        store_close(store);
        return err;
    }
    *out = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    /* The writer's connection is closed last, so that it takes the log's file away. */
    worker_free(store->writer);
    worker_free(store->reader);
    sqlite3_close(store->query_db);
    if (store->db != NULL) {
        store_drop_statements(store);
        store_checkpoint_now(store, true);
    }
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}

enum err store_load(struct store *store, struct registry *registry, struct cause *cause)
{
    return store_load_from(store->db, store->opened_at, registry, cause);
}

struct keep_job {
    struct store *store;
    const struct batch *batch;
    store_done_fn *done;
    void *arg;
    enum err result;
};

static void keep_answer(void *arg)
{
    struct keep_job job = *(struct keep_job *)arg;
    free(arg);
    job.done(job.arg, job.result);
}

static void keep_run(void *arg)
{
    struct keep_job *job = arg;
    struct store *store = job->store;
    struct cause cause = {.text = ""};
    job->result = store_keep_now(store, job->batch, &cause);
    post_send(&store->post, keep_answer, job);
    store_checkpoint_now(store, false);
}

void store_keep(struct store *store, const struct batch *batch, store_done_fn *done, void *arg)
{
    struct keep_job *job = malloc(sizeof(*job));
    if (job != NULL) {
        *job = (struct keep_job){store, batch, done, arg, ERR_OK};
        if (worker_post(store->writer, keep_run, job) == ERR_OK)
            return;
    }
    free(job);
    done(arg, ERR_NOT_KEPT);
}

struct reload_job {
    struct store *store;
    store_reloaded_fn *done;
    void *arg;
    struct registry *fresh;
    enum err result;
};

static void reload_answer(void *arg)
{
    struct reload_job job = *(struct reload_job *)arg;
    free(arg);
    job.done(job.arg, job.fresh, job.result);
}

static void reload_run(void *arg)
{
    struct reload_job *job = arg;
    struct store *store = job->store;
    struct cause cause = {.text = "out of memory"};
    job->result = ERR_NO_MEMORY;
    job->fresh = registry_new();
    if (job->fresh != NULL)
        job->result = store_load_from(store->db, store_now(store), job->fresh, &cause);
    if (job->result != ERR_OK) {
        log_error("store", "the state can't be read again: %s", cause.text);
        registry_free(job->fresh);
        job->fresh = NULL;
    }
    post_send(&store->post, reload_answer, job);
}

void store_reload(struct store *store, store_reloaded_fn *done, void *arg)
{
    struct reload_job *job = malloc(sizeof(*job));
    if (job != NULL) {
        *job = (struct reload_job){store, done, arg, NULL, ERR_OK};
        if (worker_post(store->writer, reload_run, job) == ERR_OK)
            return;
    }
    free(job);
    done(arg, NULL, ERR_NO_MEMORY);
}

struct thread_job {
    store_thread_fn *fn;
    void *arg;
    struct sqlite3 *db;
};

static void thread_run(void *arg)
{
    struct thread_job job = *(struct thread_job *)arg;
    free(arg);
    job.fn(job.arg, job.db);
}

static enum err on_thread(struct worker *worker, struct sqlite3 *db, store_thread_fn *fn, void *arg)
{
    struct thread_job *job = malloc(sizeof(*job));
    if (job == NULL)
        return ERR_NO_MEMORY;
    *job = (struct thread_job){fn, arg, db};
    enum err err = worker_post(worker, thread_run, job);
    if (err != ERR_OK)
        free(job);
    return err;
}

enum err store_on_query_thread(struct store *store, store_thread_fn *fn, void *arg)
{
    if (store->reader == NULL)
        return on_thread(store->writer, store->db, fn, arg);
    return on_thread(store->reader, store->query_db, fn, arg);
}

enum err store_on_storage_thread(struct store *store, store_thread_fn *fn, void *arg)
{
    return on_thread(store->writer, store->db, fn, arg);
}

void store_fail_commits(struct store *store, int count, enum err error)
{
    atomic_store(&store->fail_error, (int)error);
    atomic_store(&store->fail_count, count);
}
