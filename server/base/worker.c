/* SPDX-License-Identifier: MIT
 *
 * One thread, one queue. Knows no loop and not what its jobs do.
 */
#include "server/base/worker.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker_entry {
    struct worker_entry *next;
    worker_job_fn *job;
    void *arg;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t wake;
    struct worker_entry *first, **last;
    bool stopping;
};

static struct worker_entry *worker_next(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->first && !worker->stopping)
        pthread_cond_wait(&worker->wake, &worker->lock);
    struct worker_entry *entry = worker->first;
    if (entry) {
        worker->first = entry->next;
        if (!worker->first)
            worker->last = &worker->first;
    }
    pthread_mutex_unlock(&worker->lock);
    return entry;
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    struct worker_entry *entry;
    while ((entry = worker_next(worker))) {
        worker_job_fn *job = entry->job;
        void *job_arg = entry->arg;
        free(entry);
        job(job_arg);
    }
    return NULL;
}

/* Signals belong to the loop's thread; a new thread inherits the mask of its maker. */
static int worker_start(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&worker->thread, NULL, worker_run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum err worker_new(const char *name, struct worker **out, struct cause *cause)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return cause_set(cause, ERR_NO_MEMORY, "no memory for the thread %s", name);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    worker->last = &worker->first;
    int status = worker_start(worker);
    if (status != 0) {
        pthread_cond_destroy(&worker->wake);
        pthread_mutex_destroy(&worker->lock);
        free(worker);
        return cause_set(cause, ERR_INTERNAL, "the thread %s can't be started: %s", name,
                         strerror(status));
    }
    char shown[16]; /* the kernel's limit; longer names are refused whole */
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(worker->thread, shown);
    *out = worker;
    return ERR_OK;
}

enum err worker_post(struct worker *worker, worker_job_fn *job, void *arg)
{
    struct worker_entry *entry = malloc(sizeof *entry);
    if (!entry)
        return ERR_NO_MEMORY;
    *entry = (struct worker_entry){.job = job, .arg = arg};
    pthread_mutex_lock(&worker->lock);
    bool stopping = worker->stopping;
    if (!stopping) {
        *worker->last = entry;
        worker->last = &entry->next;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    if (stopping)
        free(entry);
    return stopping ? ERR_STOPPING : ERR_OK;
}

void worker_free(struct worker *worker)
{
    if (!worker)
        return;
    assert(!worker_is_current(worker));
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

bool worker_is_current(const struct worker *worker)
{
    return pthread_equal(worker->thread, pthread_self()) != 0;
}
