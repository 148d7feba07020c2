/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/loop_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void send(void *owner, post_run_fn *fn, void *arg)
{
    struct loop_queue *queue = owner;
    pthread_mutex_lock(&queue->mutex);
    if (queue->count == queue->cap) {
        queue->cap = queue->cap > 0 ? 2 * queue->cap : 16;
        queue->items = realloc(queue->items, queue->cap * sizeof *queue->items);
        if (queue->items == NULL)
            abort();
    }
    queue->items[queue->count++] = (struct loop_queue_item){fn, arg};
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->mutex);
}

void loop_queue_init(struct loop_queue *queue)
{
    memset(queue, 0, sizeof *queue);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->filled, NULL);
}

void loop_queue_close(struct loop_queue *queue)
{
    loop_queue_drain(queue);
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->filled);
    free(queue->items);
}

struct post loop_queue_post(struct loop_queue *queue)
{
    return (struct post){.send = send, .owner = queue};
}

/* Takes the first one out, waiting for it until the deadline (NULL: not at all). */
static bool take(struct loop_queue *queue, const struct timespec *deadline,
                 struct loop_queue_item *out)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && deadline != NULL)
        if (pthread_cond_timedwait(&queue->filled, &queue->mutex, deadline) != 0)
            break;
    bool found = queue->count > 0;
    if (found) {
        *out = queue->items[0];
        memmove(queue->items, queue->items + 1, --queue->count * sizeof *queue->items);
    }
    pthread_mutex_unlock(&queue->mutex);
    return found;
}

void loop_queue_wait(struct loop_queue *queue, const bool *flag)
{
    struct timespec deadline;
    struct loop_queue_item item = {0};
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    while (!*flag) {
        if (!take(queue, &deadline, &item))
            fail_msg("nothing was posted for 20 s");
        item.fn(item.arg);
    }
}

void loop_queue_drain(struct loop_queue *queue)
{
    struct loop_queue_item item = {0};
    while (take(queue, NULL, &item))
        item.fn(item.arg);
}
