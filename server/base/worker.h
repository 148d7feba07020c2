/* SPDX-License-Identifier: MIT
 *
 * One thread with one queue of jobs, done in order. The storage, query and file threads are each
 * one of these. It knows no loop: a job that has something to tell calls whatever function it was
 * given.
 */
#ifndef SERVER_BASE_WORKER_H
#define SERVER_BASE_WORKER_H

#include <stdbool.h>

#include "server/base/err.h"

struct worker;
typedef void worker_job_fn(void *arg);

/* Starts the thread, with all signals blocked in it. `name` has at most 15 bytes (shown by ps -L).
 */
enum err worker_new(const char *name, struct worker **out, struct cause *cause);
/* Queues a job; any thread; never fails once the worker runs except ERR_NO_MEMORY or ERR_STOPPING.
 */
enum err worker_post(struct worker *worker, worker_job_fn *job, void *arg);
/* Does what is queued, then ends the thread. Blocks until then. NULL is fine. */
void worker_free(struct worker *worker);
/* Whether the caller runs on this worker's thread; for assertions. */
bool worker_is_current(const struct worker *worker);

#endif
