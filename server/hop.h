/* SPDX-License-Identifier: MIT
 *
 * The way from any thread onto the loop: a `struct post` made on one uv_async. Calls run in order,
 * on the loop thread, between a wake and a settle of the house. It knows neither what is called nor
 * why.
 */
#ifndef SERVER_HOP_H
#define SERVER_HOP_H

#include <stdbool.h>

#include <uv.h>

#include "server/base/err.h"
#include "server/base/post.h"

struct hop;

struct hop_options {
    uv_loop_t *loop;
    void *owner;
    bool (*wake)(void *owner);
    void (*settle)(void *owner);
};

enum err hop_new(const struct hop_options *options, struct hop **out);
struct post hop_post(struct hop *hop);
/* Runs what is queued, here and now. Loop thread, or after the loop ended. */
void hop_drain(struct hop *hop);
/* Closes the handle; nothing may be sent any more. What still waits is run by hop_free(). */
void hop_close(struct hop *hop);
/* After the loop has closed the handle. NULL is fine. */
void hop_free(struct hop *hop);

#endif
