/* SPDX-License-Identifier: MIT
 *
 * From headers to handler: route, origin, sign-in, role; then the handler; then the answer. It
 * refuses to know what any address means.
 */
#include "server/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/base/log.h"
#include "server/http_guard.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/static_files.h"
#include "state/pictures.h"

struct exchange *exchange_of(struct http_request *request)
{
    return http_request_data(request);
}

struct exchange *exchange_hold(struct exchange *exchange)
{
    exchange->holds++;
    return exchange;
}

void exchange_release(struct exchange *exchange)
{
    if (--exchange->holds)
        return;
    free(exchange->reply_body);
    free(exchange);
}

/* Answers if the client is still there. */
static void exchange_reply(struct exchange *exchange, const struct http_reply *reply)
{
    if (exchange->request)
        http_reply(exchange->request, reply);
}

void exchange_text(struct exchange *exchange, int status, const char *text)
{
    if (exchange->request)
        http_reply_text(exchange->request, status, text);
}

/* Each error as a sentence with its newline, so that the adapter can keep the answers ready. */
static const char *const error_texts[ERR_COUNT] = {
#define ERR_TEXT(name, status, message) [ERR_##name] = message "\n",
    ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
};

void exchange_error(struct exchange *exchange, enum err err)
{
    exchange_text(exchange, err_http_status(err), error_texts[err]);
}

static void reply_when_kept(void *arg, enum err kept)
{
    struct exchange *exchange = arg;
    if (kept)
        exchange_error(exchange, kept);
    else
        exchange_reply(exchange, &exchange->reply);
    exchange_release(exchange);
}

void exchange_reply_kept(struct exchange *exchange, int status, const char *type, char *body)
{
    free(exchange->reply_body);
    exchange->reply_body = body;
    exchange->reply = (struct http_reply){.status = status,
                                          .type = type,
                                          .body = body,
                                          .len = body ? strlen(body) : 0,
                                          .headers = exchange->reply.headers,
                                          .fd = -1};
    turn_out(exchange->server->turn, reply_when_kept, exchange_hold(exchange));
}

void exchange_json_kept(struct exchange *exchange, int status, struct buf *buf)
{
    enum err err = buf_error(buf);
    if (err) {
        buf_free(buf);
        exchange_error(exchange, err == ERR_TOO_LARGE ? ERR_INTERNAL : err);
        return;
    }
    exchange_reply_kept(exchange, status, "application/json", buf_take(buf));
}

static enum err check_origin(struct server *server, struct http_request *request,
                             const struct route *route)
{
    enum http_method method = http_request_method(request);
    bool reads = method == HTTP_GET || method == HTTP_HEAD;
    if ((route->flags & ROUTE_OPEN) && !(route->flags & ROUTE_OLD) && reads)
        return ERR_OK;
    struct origin_input input = {
        .host = http_request_header(request, "Host"),
        .origin = http_request_header(request, "Origin"),
        .referer = http_request_header(request, "Referer"),
        .sec_fetch_site = http_request_header(request, "Sec-Fetch-Site"),
        .local_address = http_request_local(request),
        .local_port = server->http_port,
        .own_hosts = server->host_list,
        .by_address_alone = (route->flags & ROUTE_OLD) && route->role >= ROLE_MEMBER &&
                            !http_request_header(request, "Authorization") &&
                            !http_request_cookie(request, AUTH_COOKIE),
        .user_agent = http_request_header(request, "User-Agent"),
    };
    const char *why = NULL;
    enum err err = http_origin_check(&input, &why);
    if (err)
        log_info("http", "refused %s from %s: %s", http_request_path(request),
                 http_request_peer(request), why ? why : "foreign origin");
    return err;
}

static enum err check_caller(struct server *server, struct http_request *request,
                             const struct route *route, struct caller *caller)
{
    struct auth_input input = {
        .authorization = http_request_header(request, "Authorization"),
        .cookie = http_request_cookie(request, AUTH_COOKIE),
        .peer = http_request_peer(request),
        .old_route = (route->flags & ROUTE_OLD) != 0,
        .auth_none = server->config->http_auth == AUTH_NONE,
        .trusted = &server->config->http_trusted,
        .now_at = clock_wall_ms(&server->clock),
    };
    enum err err = auth_identify(turn_registry(server->turn), &input, caller);
    if (route->flags & ROUTE_OPEN)
        return ERR_OK;
    if (err)
        return err;
    return caller->role < route->role ? ERR_FORBIDDEN : ERR_OK;
}

static void refuse(struct http_request *request, enum err err, const char *allow)
{
    struct http_header headers[2] = {{NULL, NULL}, {NULL, NULL}};
    if (err == ERR_UNAUTHORIZED) {
        bool had_one = http_request_header(request, "Authorization") != NULL;
        headers[0] = (struct http_header){
            "WWW-Authenticate", had_one ? "Bearer realm=\"gatehouse\", error=\"invalid_token\""
                                        : "Bearer realm=\"gatehouse\""};
    } else if (err == ERR_METHOD) {
        headers[0] = (struct http_header){"Allow", allow};
    }
    struct http_reply reply = HTTP_REPLY_INIT;
    reply.status = err_http_status(err);
    reply.body = error_texts[err];
    reply.len = strlen(error_texts[err]);
    reply.body_static = true;
    reply.headers = headers;
    http_reply(request, &reply);
}

enum http_body exchange_on_headers(void *owner, struct http_request *request)
{
    struct server *server = owner;
    struct exchange found = {.server = server, .request = request, .holds = 1};
    char allow[64];
    enum err err = route_find(route_table, http_request_method(request), http_request_path(request),
                              &found.match, allow, sizeof allow);
    /* The page's row stands for whatever files there are: what is none is unknown, by any method.
     */
    if (err != ERR_NOT_FOUND && found.match.route->handler == route_page &&
        !static_files_has(server->files, http_request_path(request)))
        err = ERR_NOT_FOUND;
    if (!err) {
        server->route_uses[found.match.route - route_table]++;
        err = check_origin(server, request, found.match.route);
    }
    if (!err)
        err = check_caller(server, request, found.match.route, &found.caller);
    struct exchange *exchange = err ? NULL : malloc(sizeof *exchange);
    if (!err && !exchange)
        err = ERR_NO_MEMORY;
    if (err) {
        refuse(request, err, allow);
        return HTTP_BODY_NONE;
    }
    *exchange = found;
    http_request_set_data(request, exchange);
    return found.match.route->body;
}

void exchange_on_request(void *owner, struct http_request *request)
{
    struct exchange *exchange = http_request_data(request);
    exchange->match.route->handler(owner, request);
}

void exchange_on_end(void *owner, struct http_request *request)
{
    (void)owner;
    struct exchange *exchange = http_request_data(request);
    if (!exchange)
        return;
    http_request_set_data(request, NULL);
    exchange->request = NULL;
    if (exchange->upload) {
        picture_upload_abort(exchange->upload);
        exchange->upload = NULL;
    }
    exchange_release(exchange);
}
