/* SPDX-License-Identifier: MIT
 *
 * Runs libmicrohttpd from the loop. It has one epoll descriptor, which uv_poll watches, and two
 * needs that no descriptor shows: a resumed connection (its own channel for that is closed when the
 * polling is ours) and a free place after the connection limit was reached. For these there is the
 * kick: an idle handle that runs it once in the next round of the loop. MHD_run is never called
 * from inside a handler.
 */
#include "server/http_priv.h"

/* Rounds before other things on the loop have their turn. */
#define ROUNDS 64

static void on_idle(uv_idle_t *handle)
{
    http_enter(handle->data);
}

void http_kick(struct http *http)
{
    http->kicked = true;
    http->drained = false;
    if (!http->running && http->started && !http->closing)
        uv_idle_start(&http->idle, on_idle);
}

void http_run(struct http *http)
{
    bool more = true;

    http->running = true;
    for (int round = 0; more && round < ROUNDS; round++) {
        unsigned long long wait;

        http->kicked = false;
        MHD_run(http->daemon);
        more = http->kicked || (MHD_get_timeout(http->daemon, &wait) == MHD_YES && wait == 0);
    }
    http->running = false;
    http->drained = !more;
}

void http_enter(struct http *http)
{
    if (http->closing)
        return;
    if (http->options.wake != NULL && !http->options.wake(http->options.owner)) {
        http_kick(http);
        return;
    }
    http_run(http);
    /* A longer wait than zero is only its idle timeout, which the tick sees to. */
    if (http->drained)
        uv_idle_stop(&http->idle);
    else
        uv_idle_start(&http->idle, on_idle);
    if (http->options.settle != NULL)
        http->options.settle(http->options.owner);
}

void http_suspend(struct http_request *request)
{
    request->suspended = true;
    MHD_suspend_connection(request->connection->mhd);
}

void http_resume(struct http_request *request)
{
    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->connection->mhd);
    http_kick(request->http);
}
