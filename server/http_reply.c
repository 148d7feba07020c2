/* SPDX-License-Identifier: MIT
 *
 * A reply becomes a libmicrohttpd response at once, wherever it is given, and is queued in the next
 * handler call: queueing elsewhere runs the connection's state machine under the caller's feet.
 * Small constant replies are made once and used again.
 */
#include "server/http_priv.h"

#include <string.h>
#include <unistd.h>

#include "server/base/log.h"

#define CACHED_LEN_MAX 4096
static const char plain_text[] = "text/plain; charset=utf-8";

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        log_warn("http", "the header %s of a reply is left out: it holds what a header may not",
                 name);
}

static struct MHD_Response *make(const struct http_reply *reply)
{
    /* libmicrohttpd takes no const, and doesn't write. */
    void *body = (void *)(uintptr_t)reply->body;
    struct MHD_Response *response;

    if (reply->fd >= 0)
        response = MHD_create_response_from_fd64((uint64_t)reply->fd_size, reply->fd);
    else if (reply->len == 0)
        response =
            MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_buffer(
            reply->len, body, reply->body_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return NULL;
    if (reply->status != 204 && reply->status != 304)
        add_header(response, "Content-Type", reply->type != NULL ? reply->type : plain_text);
    for (const struct http_header *h = reply->headers; h != NULL && h->name != NULL; h++)
        add_header(response, h->name, h->value);
    if (reply->close)
        add_header(response, "Connection", "close");
    return response;
}

/* The cached response for this reply, made when there is room; NULL when it isn't of that kind. */
static struct MHD_Response *from_cache(struct http *http, const struct http_reply *reply)
{
    const char *type = reply->type != NULL ? reply->type : plain_text;
    struct http_cached *cached;

    if (!reply->body_static || reply->fd >= 0 || reply->headers != NULL || reply->close ||
        reply->len > CACHED_LEN_MAX || strlen(type) >= sizeof(cached->type))
        return NULL;
    for (unsigned i = 0; i < http->cached_count; i++) {
        cached = &http->cached[i];
        if (cached->status == reply->status && cached->body == reply->body &&
            cached->len == reply->len && strcmp(cached->type, type) == 0)
            return cached->response;
    }
    if (http->cached_count == HTTP_CACHED)
        return NULL;
    cached = &http->cached[http->cached_count];
    cached->response = make(reply);
    if (cached->response == NULL)
        return NULL;
    cached->status = reply->status;
    cached->body = reply->body;
    cached->len = reply->len;
    memcpy(cached->type, type, strlen(type) + 1);
    http->cached_count++;
    return cached->response;
}

void http_reply(struct http_request *request, const struct http_reply *reply)
{
    if (request->response != NULL || request->phase == HTTP_AT_ANSWER || request->broken) {
        log_error("http", "a second reply to one request is dropped");
        if (reply->fd >= 0)
            close(reply->fd);
        return;
    }
    request->response = from_cache(request->http, reply);
    request->response_cached = request->response != NULL;
    if (request->response == NULL)
        request->response = make(reply);
    if (request->response == NULL) {
        log_error("http", "no memory for a reply: the connection is closed");
        if (reply->fd >= 0)
            close(reply->fd);
        request->broken = true;
    }
    request->status = (unsigned)reply->status;
    request->response_size = reply->fd >= 0 ? reply->fd_size : (int64_t)reply->len;
    http_resume(request);
}

void http_reply_text(struct http_request *request, int status, const char *text)
{
    struct http_reply reply = HTTP_REPLY_INIT;

    reply.status = status;
    reply.body = text;
    reply.len = strlen(text);
    reply.body_static = true;
    http_reply(request, &reply);
}

enum MHD_Result http_reply_queue(struct http_request *request)
{
    struct http_connection *connection = request->connection;
    enum MHD_Result result;

    if (request->response == NULL)
        return MHD_NO;
    request->phase = HTTP_AT_ANSWER;
    http_deadline_in(connection,
                     HTTP_ANSWER_S + (unsigned)(request->response_size / (int64_t)(64 * 1024)));
    result = MHD_queue_response(connection->mhd, request->status, request->response);
    http_reply_drop(request);
    return result;
}

void http_reply_drop(struct http_request *request)
{
    if (request->response != NULL && !request->response_cached)
        MHD_destroy_response(request->response);
    request->response = NULL;
}

void http_reply_cache_free(struct http *http)
{
    for (unsigned i = 0; i < http->cached_count; i++)
        MHD_destroy_response(http->cached[i].response);
    http->cached_count = 0;
}
