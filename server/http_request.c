/* SPDX-License-Identifier: MIT
 *
 * The life of one request, as libmicrohttpd's calls tell it: its address is known (http_on_uri),
 * its head is complete (the first handler call), pieces of its body, all is read (the last call,
 * and again after each resume until there is an answer), it is over (http_on_completed).
 *
 * A response that is queued in the first call ends the connection, and between first and last call
 * none may be queued at all. So an early answer to a request without a body, or with a small one,
 * waits for the last call, which keeps the connection and lets the client hear it; only what we
 * don't want to read is refused in the first.
 */
#include "server/http_priv.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/log.h"
#include "server/http_guard.h"

static struct http_request *request_new(struct http *http)
{
    struct http_request *request = http->spare;

    if (request == NULL)
        return calloc(1, sizeof(*request));
    http->spare = request->next_spare;
    http->spare_count--;
    memset(request, 0, sizeof(*request));
    return request;
}

static void drop_uri(struct http_request *request)
{
    if (request->uri != request->uri_small)
        free(request->uri);
    request->uri = NULL;
}

static void request_free(struct http_request *request)
{
    struct http *http = request->http;

    drop_uri(request);
    http_body_free(request);
    http_reply_drop(request);
    if (http->spare_count == HTTP_SPARE) {
        free(request);
        return;
    }
    request->next_spare = http->spare;
    http->spare = request;
    http->spare_count++;
}

void http_spare_free(struct http *http)
{
    while (http->spare != NULL) {
        struct http_request *next = http->spare->next_spare;

        free(http->spare);
        http->spare = next;
    }
    http->spare_count = 0;
}

/* The bytes in libmicrohttpd's buffer are decoded and cut right after this, so the guard's copy is
 * made here. */
void *http_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http *http = cls;
    struct http_connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct http_request *request;
    uint64_t before;

    if (connection == NULL || uri == NULL)
        return NULL;
    request = request_new(http);
    if (request == NULL)
        return NULL;
    request->http = http;
    request->connection = connection;
    request->uri_at = uri;
    request->uri_len = strlen(uri);
    request->uri = request->uri_len < sizeof(request->uri_small) ? request->uri_small
                                                                 : malloc(request->uri_len + 1);
    if (request->uri == NULL) {
        request_free(request);
        return NULL;
    }
    memcpy(request->uri, uri, request->uri_len + 1);
    connection->request = request;
    before = connection->deadline;
    http_deadline_in(connection, http->options.request_s);
    if (before != 0 && before < connection->deadline)
        connection->deadline = before;
    return request;
}

static void refuse(struct http_request *request, enum err err)
{
    static const struct http_header allow[] = {{"Allow", "GET, HEAD, POST"}, {NULL, NULL}};
    struct http_reply reply = HTTP_REPLY_INIT;
    char text[128];

    snprintf(text, sizeof(text), "%s\n", err_message(err));
    reply.status = err_http_status(err);
    reply.body = text;
    reply.len = strlen(text);
    reply.close = true;
    if (err == ERR_METHOD)
        reply.headers = allow;
    http_reply(request, &reply);
}

static const char *header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

/* The guard has seen that each is there once at most and is what it must be. */
static void read_length(struct http_request *request)
{
    const char *length = header(request, "Content-Length");

    if (header(request, "Transfer-Encoding") != NULL)
        request->declared = -1;
    else if (length != NULL)
        request->declared = strtoll(length, NULL, 10);
}

/* Whether the client should be heard out before it gets the early answer. */
static bool worth_draining(const struct http_request *request)
{
    return request->declared == 0 || (request->declared > 0 && request->declared <= HTTP_BODY_MAX &&
                                      header(request, "Expect") == NULL);
}

static enum MHD_Result first_call(struct http_request *request, const char *url, const char *method,
                                  const char *version)
{
    struct http *http = request->http;
    enum err err = http_head_check(request, method, version);

    drop_uri(request);
    request->phase = HTTP_AT_BODY;
    request->path = url;
    if (err != ERR_OK || !http_method_find(method, &request->method)) {
        refuse(request, err != ERR_OK ? err : ERR_METHOD);
        return http_reply_queue(request);
    }
    read_length(request);
    request->announced = true;
    request->want = http->options.on_headers(http->options.owner, request);
    if (request->response != NULL) {
        request->want = HTTP_BODY_NONE;
        request->body_limit = HTTP_BODY_MAX;
        return worth_draining(request) ? MHD_YES : http_reply_queue(request);
    }
    http_body_begin(request);
    if (request->declared > request->body_limit) {
        refuse(request, ERR_TOO_LARGE);
        return http_reply_queue(request);
    }
    return MHD_YES;
}

static enum MHD_Result last_call(struct http_request *request)
{
    if (request->phase == HTTP_AT_BODY) {
        request->phase = HTTP_AT_OWNER;
        request->connection->deadline = 0;
        http_body_end(request);
        if (request->response == NULL && request->too_large)
            refuse(request, ERR_TOO_LARGE);
        if (request->response == NULL && !request->broken)
            request->http->options.on_request(request->http->options.owner, request);
    }
    if (request->response != NULL)
        return http_reply_queue(request);
    if (!request->broken)
        http_suspend(request);
    return MHD_YES;
}

enum MHD_Result http_on_call(void *cls, struct MHD_Connection *mhd, const char *url,
                             const char *method, const char *version, const char *bytes,
                             size_t *len, void **context)
{
    struct http *http = cls;
    struct http_request *request = *context;
    enum MHD_Result result;

    (void)mhd;
    if (request == NULL)
        return MHD_NO; /* there was no memory for it */
    if (http->closing && (request->phase == HTTP_AT_HEAD || *len > 0 || request->response == NULL))
        return MHD_NO;
    request->in_handler = true;
    if (request->phase == HTTP_AT_HEAD)
        result = first_call(request, url, method, version);
    else if (*len > 0)
        result = http_body_take(request, bytes, len);
    else
        result = last_call(request);
    request->in_handler = false;
    return request->broken ? MHD_NO : result;
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct http *http = cls;
    struct http_request *request = *context;

    (void)mhd;
    (void)code;
    if (request == NULL)
        return;
    *context = NULL;
    if (request->announced && http->options.on_end != NULL)
        http->options.on_end(http->options.owner, request);
    request->connection->request = NULL;
    /* Until the next request is complete. */
    http_deadline_in(request->connection, http->options.idle_s + http->options.request_s);
    request_free(request);
}

enum http_method http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return header(request, name);
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;

    if (MHD_lookup_connection_value_n(request->connection->mhd, MHD_GET_ARGUMENT_KIND, name,
                                      strlen(name), &value, NULL) != MHD_YES)
        return NULL;
    return value != NULL ? value : ""; /* "?name" alone */
}

const char *http_request_cookie(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_COOKIE_KIND, name);
}

const char *http_request_peer(const struct http_request *request)
{
    return request->connection->peer;
}

const char *http_request_local(const struct http_request *request)
{
    return request->connection->local;
}

/* The kernel knows when a segment came, also of a connection that waited to be accepted. */
int64_t http_request_waited_ms(const struct http_request *request)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(request->connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return -1;
    return info.tcpi_last_data_recv;
}

void *http_request_data(const struct http_request *request)
{
    return request->data;
}

void http_request_set_data(struct http_request *request, void *data)
{
    request->data = data;
}
