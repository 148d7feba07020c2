/* SPDX-License-Identifier: MIT
 *
 * Starting and stopping the adapter: the socket, the daemon's options, the loop's handles. What
 * happens between is told in http_priv.h.
 */
#include "server/http_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"

#define CONNECTIONS_USUAL 4096
/* For the database, the broker, pictures and what else has files open. */
#define FILES_FOR_OTHERS 256
#define LOOPBACK_PLACES  32

static void set_defaults(struct http *http)
{
    struct http_options *options = &http->options;
    unsigned files = http_raise_files();
    unsigned most = files > 2 * FILES_FOR_OTHERS ? files - FILES_FOR_OTHERS : files / 2;

    if (options->max_connections == 0)
        options->max_connections = CONNECTIONS_USUAL;
    http->limit = options->max_connections < most ? options->max_connections : most;
    http->reserve = http->limit >= 4 * LOOPBACK_PLACES ? LOOPBACK_PLACES : http->limit / 4;
    if (options->max_per_address == 0)
        options->max_per_address = 256;
    if (options->idle_s == 0)
        options->idle_s = 15;
    if (options->request_s == 0)
        options->request_s = 15;
    if (options->upload_s == 0)
        options->upload_s = 120;
}

enum err http_new(const struct http_options *options, struct http **out, struct cause *cause)
{
    struct http *http = calloc(1, sizeof(*http));
    enum err err;

    if (http == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "no memory for the HTTP adapter");
    http->options = *options;
    err = http_listen(options->listen, options->port, &http->listen_fd, &http->port, cause);
    if (err != ERR_OK) {
        free(http);
        return err;
    }
    http->options.listen = NULL; /* the caller's text need not live on */
    set_defaults(http);
    http->drained = true;
    uv_idle_init(options->loop, &http->idle);
    uv_timer_init(options->loop, &http->tick);
    http->idle.data = http->tick.data = http->poll.data = http;
    http->open_handles = 2;
    *out = http;
    return ERR_OK;
}

/* Its messages quote what strangers sent; the log's sink escapes. */
static void on_log(void *cls, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *format, va_list args)
{
    char line[512];
    size_t len;

    (void)cls;
    vsnprintf(line, sizeof(line), format, args);
    len = strlen(line);
    while (len > 0 && line[len - 1] == '\n')
        line[--len] = '\0';
    log_debug("http", "libmicrohttpd: %s", line);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status; /* an error of the epoll descriptor shows in the next run */
    (void)events;
    http_enter(handle->data);
}

enum err http_start(struct http *http, struct cause *cause)
{
    const union MHD_DaemonInfo *info;

    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, 0, http_may_connect, http,
        http_on_call, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        http->listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL,
        MHD_OPTION_CONNECTION_LIMIT, http->limit, MHD_OPTION_CONNECTION_TIMEOUT,
        http->options.idle_s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_uri, http, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return cause_set(cause, ERR_INTERNAL, "libmicrohttpd did not start");
    info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(http->options.loop, &http->poll, info->epoll_fd) != 0)
        return cause_set(cause, ERR_INTERNAL, "libmicrohttpd has no epoll descriptor");
    http->open_handles++;
    http->started = true;
    uv_poll_start(&http->poll, UV_READABLE, on_readable);
    http_kick(http); /* only its first run puts the listening socket into the epoll set */
    return ERR_OK;
}

int http_port(const struct http *http)
{
    return http->port;
}

bool http_is_drained(const struct http *http)
{
    return http->drained;
}

unsigned http_connections(const struct http *http)
{
    return http->count;
}

static void on_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    void (*done)(void *owner) = http->close_done;
    void *owner = http->close_owner;

    if (--http->open_handles > 0)
        return;
    free(http);
    if (done != NULL)
        done(owner);
}

/* What still waits for its owner is told that nothing more comes, and the rest is cut. */
static void end_connections(struct http *http)
{
    static const char text[] = "the server is stopping\n";

    for (struct http_connection *c = http->connections; c != NULL; c = c->next) {
        struct http_request *request = c->request;

        if (request == NULL || !request->suspended)
            continue;
        if (request->phase == HTTP_AT_OWNER) {
            struct http_reply reply = HTTP_REPLY_INIT;

            reply.status = 503;
            reply.body = text;
            reply.len = sizeof(text) - 1;
            reply.close = true;
            http_reply(request, &reply);
        } else {
            http_resume(request);
        }
    }
    http_run(http);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}

void http_close(struct http *http, void (*done)(void *owner), void *owner)
{
    http->close_done = done;
    http->close_owner = owner;
    http->closing = true;
    if (http->daemon != NULL) {
        if (http->started) {
            uv_poll_stop(&http->poll);
            uv_close((uv_handle_t *)&http->poll, on_closed);
        }
        MHD_quiesce_daemon(http->daemon);
        end_connections(http);
    }
    close(http->listen_fd);
    http_reply_cache_free(http);
    http_spare_free(http);
    http_peers_free(&http->peers);
    uv_close((uv_handle_t *)&http->idle, on_closed);
    uv_close((uv_handle_t *)&http->tick, on_closed);
}
