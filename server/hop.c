/* SPDX-License-Identifier: MIT
 *
 * Loop hop: a locked list and one uv_async. uv_async_send folds several calls into one wake-up, so
 * the callback takes the whole list each time.
 */
#include "server/hop.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/base/log.h"

struct hop_call {
    struct hop_call *next;
    post_run_fn *fn;
    void *arg;
};

struct hop {
    uv_async_t async;
    pthread_mutex_t lock;
    struct hop_call *first;
    struct hop_call **last;
    struct hop_options options;
    bool closed;
};

static struct hop_call *hop_take(struct hop *hop)
{
    pthread_mutex_lock(&hop->lock);
    struct hop_call *calls = hop->first;
    hop->first = NULL;
    hop->last = &hop->first;
    pthread_mutex_unlock(&hop->lock);
    return calls;
}

void hop_drain(struct hop *hop)
{
    for (struct hop_call *call; (call = hop_take(hop));) {
        while (call) {
            struct hop_call *next = call->next;
            call->fn(call->arg);
            free(call);
            call = next;
        }
    }
}

static void hop_on_async(uv_async_t *async)
{
    struct hop *hop = async->data;
    hop->options.wake(hop->options.owner);
    hop_drain(hop);
    hop->options.settle(hop->options.owner);
}

static void hop_send(void *owner, post_run_fn *fn, void *arg)
{
    struct hop *hop = owner;
    struct hop_call *call = malloc(sizeof *call);
    if (!call) {
        /* An answer that is lost would leave a request waiting for ever; what is on disk survives
         * the restart. */
        log_error("server", "out of memory");
        abort();
    }
    *call = (struct hop_call){.fn = fn, .arg = arg};
    pthread_mutex_lock(&hop->lock);
    *hop->last = call;
    hop->last = &call->next;
    bool closed = hop->closed;
    pthread_mutex_unlock(&hop->lock);
    if (!closed)
        uv_async_send(&hop->async);
}

enum err hop_new(const struct hop_options *options, struct hop **out)
{
    struct hop *hop = calloc(1, sizeof *hop);
    if (!hop)
        return ERR_NO_MEMORY;
    hop->options = *options;
    hop->last = &hop->first;
    pthread_mutex_init(&hop->lock, NULL);
    if (uv_async_init(options->loop, &hop->async, hop_on_async)) {
        pthread_mutex_destroy(&hop->lock);
        free(hop);
        return ERR_INTERNAL;
    }
    hop->async.data = hop;
    *out = hop;
    return ERR_OK;
}

struct post hop_post(struct hop *hop)
{
    return (struct post){.send = hop_send, .owner = hop};
}

void hop_close(struct hop *hop)
{
    pthread_mutex_lock(&hop->lock);
    hop->closed = true;
    pthread_mutex_unlock(&hop->lock);
    uv_close((uv_handle_t *)&hop->async, NULL);
}

void hop_free(struct hop *hop)
{
    if (!hop)
        return;
    hop_drain(hop);
    pthread_mutex_destroy(&hop->lock);
    free(hop);
}
