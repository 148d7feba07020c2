/* SPDX-License-Identifier: MIT
 *
 * Connections come and go here, and end when their time is over. libmicrohttpd's own timeout knows
 * only silence: who sends a byte a second would stay for ever. Each connection therefore has one
 * absolute deadline, moved on at each stage of a request and looked at by one timer that runs only
 * while there are connections. While a request is ours to answer there is none.
 */
#include "server/http_priv.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"

void http_deadline_in(struct http_connection *connection, unsigned seconds)
{
    connection->deadline = uv_now(connection->http->options.loop) + 1000ULL * seconds;
}

static void on_tick(uv_timer_t *handle)
{
    struct http *http = handle->data;

    http_deadline_sweep(http);
    /* Also gives libmicrohttpd the chance to see its idle timeouts. */
    http_enter(http);
}

void http_deadline_sweep(struct http *http)
{
    uint64_t now = uv_now(http->options.loop);

    for (struct http_connection *c = http->connections; c != NULL; c = c->next) {
        if (c->deadline == 0 || now < c->deadline)
            continue;
        log_debug("http", "%s took too long, its connection is closed", c->peer);
        c->deadline = 0;
        shutdown(c->fd, SHUT_RDWR);
    }
}

enum MHD_Result http_may_connect(void *cls, const struct sockaddr *address, socklen_t len)
{
    struct http *http = cls;

    (void)len;
    if (http_address_is_loopback(address))
        return MHD_YES;
    if (http->count + http->reserve >= http->limit) {
        log_debug("http", "the last places are kept for this machine itself");
        return MHD_NO;
    }
    if (http_peers_count(&http->peers, address) >= http->options.max_per_address) {
        log_debug("http", "one address has more than %u connections",
                  http->options.max_per_address);
        return MHD_NO;
    }
    return MHD_YES;
}

static void local_text(struct http_connection *connection)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(connection->fd, (struct sockaddr *)&address, &len) == 0)
        http_address_text((struct sockaddr *)&address, connection->local);
}

static void started(struct http *http, struct MHD_Connection *mhd, void **context)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));
    const union MHD_ConnectionInfo *info;

    *context = connection;
    if (connection == NULL)
        return; /* its requests are closed without an answer */
    connection->http = http;
    connection->mhd = mhd;
    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL) {
        const struct sockaddr *address = info->client_addr;

        memcpy(&connection->address, address,
               address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                              : sizeof(struct sockaddr_in));
        http_address_text(address, connection->peer);
        connection->loopback = http_address_is_loopback(address);
        if (!connection->loopback)
            connection->counted = http_peers_add(&http->peers, address);
    }
    local_text(connection);
    connection->next = http->connections;
    if (connection->next != NULL)
        connection->next->prev = connection;
    http->connections = connection;
    http_deadline_in(connection, http->options.request_s);
    if (http->count++ == 0)
        uv_timer_start(&http->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
}

static void closed(struct http *http, void **context)
{
    struct http_connection *connection = *context;

    *context = NULL;
    /* The next in the queue is only seen when it runs once more (PITFALLS 3). */
    http_kick(http);
    if (connection == NULL)
        return;
    if (connection->counted)
        http_peers_remove(&http->peers, (struct sockaddr *)&connection->address);
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        http->connections = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    free(connection);
    if (--http->count == 0)
        uv_timer_stop(&http->tick);
}

void http_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        started(cls, mhd, context);
    else
        closed(cls, context);
}
