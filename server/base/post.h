/* SPDX-License-Identifier: MIT
 *
 * How another thread tells the loop something: a function of this type, given at the start, that
 * may be called from any thread and has `fn(arg)` run on the loop thread soon after, in the order
 * of the calls. The server gives one made on uv_async; tests give one that runs at once.
 */
#ifndef SERVER_BASE_POST_H
#define SERVER_BASE_POST_H

typedef void post_run_fn(void *arg);

struct post {
    void (*send)(void *owner, post_run_fn *fn, void *arg);
    void *owner;
};

static inline void post_send(const struct post *post, post_run_fn *fn, void *arg)
{
    post->send(post->owner, fn, arg);
}

#endif
