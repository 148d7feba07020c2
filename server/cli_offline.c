/* SPDX-License-Identifier: MIT
 *
 * Changing the store without a server: opened, one thing done and waited for, closed. The caller
 * holds the folder's lock.
 */
#include "server/cli.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "state/store.h"
#include "state/transfer.h"

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum err result;
};

static void waiting_done(void *arg, enum err result)
{
    struct waiting *waiting = arg;
    pthread_mutex_lock(&waiting->lock);
    waiting->done = true;
    waiting->result = result;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static enum err wait_for(struct waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->done)
        pthread_cond_wait(&waiting->changed, &waiting->lock);
    pthread_mutex_unlock(&waiting->lock);
    return waiting->result;
}

/* There is no loop to go back to: answers run where they are made. */
static void run_at_once(void *owner, post_run_fn *fn, void *arg)
{
    (void)owner;
    fn(arg);
}

static enum err open_store(const char *data_dir, struct store **store, struct cause *cause)
{
    struct clock clock;
    clock_init_system(&clock);
    struct store_options options = {
        .data_dir = data_dir,
        .post = {.send = run_at_once},
        .now_at = clock_wall_ms(&clock),
    };
    return store_open(&options, store, cause);
}

enum err cli_keep_offline(const char *data_dir, const struct batch *batch, struct cause *cause)
{
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK};
    struct store *store = NULL;
    enum err err = open_store(data_dir, &store, cause);
    if (err)
        return err;
    store_keep(store, batch, waiting_done, &waiting);
    err = wait_for(&waiting);
    store_close(store);
    return err ? cause_set(cause, err, "%s", err_message(err)) : ERR_OK;
}

static enum err put_aside(const char *data_dir, struct cause *cause)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct clock clock;
    char at[CLOCK_TEXT_MAX], from[1024], to[1100];
    clock_init_system(&clock);
    clock_compact(clock_wall_ms(&clock), at);
    for (size_t i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/gatehouse.db%s", data_dir, endings[i]);
        snprintf(to, sizeof to, "%s/gatehouse.db.damaged-%s%s", data_dir, at, endings[i]);
        if (rename(from, to) && errno != ENOENT)
            return cause_set(cause, ERR_IO, "%s cannot be put aside: %s", from, strerror(errno));
    }
    log_warn("restore", "the damaged database is kept as %s/gatehouse.db.damaged-%s", data_dir, at);
    return ERR_OK;
}

enum err cli_restore_offline(const char *data_dir, const char *database, struct cause *cause)
{
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK};
    struct store *store = NULL;
    enum err err = open_store(data_dir, &store, cause);
    if (err == ERR_CORRUPT || err == ERR_NEWER) {
        err = put_aside(data_dir, cause);
        return err ? err : transfer_restore_database(database, data_dir, cause);
    }
    if (err)
        return err;
    store_restore(store, database, waiting_done, &waiting);
    err = wait_for(&waiting);
    store_close(store);
    return err ? cause_set(cause, err, "%s", err_message(err)) : ERR_OK;
}
