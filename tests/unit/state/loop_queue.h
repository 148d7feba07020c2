/* SPDX-License-Identifier: MIT
 *
 * A loop for tests: what other threads post runs on the test's own thread while it waits.
 */
#ifndef TESTS_UNIT_STATE_LOOP_QUEUE_H
#define TESTS_UNIT_STATE_LOOP_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/base/post.h"

struct loop_queue_item {
    post_run_fn *fn;
    void *arg;
};

struct loop_queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct loop_queue_item *items;
    size_t count, cap;
};

void loop_queue_init(struct loop_queue *queue);
void loop_queue_close(struct loop_queue *queue);
struct post loop_queue_post(struct loop_queue *queue);
/* Runs what is posted until *flag is true; fails the test after 20 s. */
void loop_queue_wait(struct loop_queue *queue, const bool *flag);
/* Runs what is there now and returns. */
void loop_queue_drain(struct loop_queue *queue);

#endif
