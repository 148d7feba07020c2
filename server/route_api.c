/* SPDX-License-Identifier: MIT
 *
 * The first addresses of /api/v1, which the page uses: session, devices, status, actions. JSON out;
 * answers wait until what they tell is on disk.
 */
#include "server/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/auth.h"
#include "server/base/json.h"
#include "server/exchange.h"
#include "server/server.h"

#define LIST_MAX_BYTES (1u << 20)
#define DEVICES_PAGE   500 /* a page of an answer: the loop has others to serve */

/* The code of a JSON body {"code":"..."}, copied; false when there is none. */
static bool body_code(struct http_request *request, char out[static SECRET_TOKEN_SIZE])
{
    size_t len = 0;
    const char *text = http_request_body(request, &len);
    struct json *json = NULL;
    if (!len || json_parse(text, len, &json_limits_wire, &json, NULL))
        return false;
    const char *code = json_str(json_get(json, "code"));
    bool fits = code && strlen(code) < SECRET_TOKEN_SIZE;
    if (fits)
        text_copy(out, SECRET_TOKEN_SIZE, code, strlen(code));
    json_free(json);
    return fits;
}

static void reply_session(struct exchange *exchange, const char *session, int max_age_s)
{
    snprintf(exchange->header_value, sizeof exchange->header_value,
             AUTH_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d", session, max_age_s);
    exchange->headers[0] = (struct http_header){"Set-Cookie", exchange->header_value};
    exchange->reply.headers = exchange->headers;
    exchange_reply_kept(exchange, 204, NULL, NULL);
}

/* Who the bearer token stands for. Asked anew: where everybody is let in (http.auth none) nobody
 * must get a session that outlives that. */
static enum err bearer_caller(struct server *server, struct http_request *request,
                              struct caller *caller)
{
    struct auth_input input = {
        .authorization = http_request_header(request, "Authorization"),
        .peer = http_request_peer(request),
        .now_at = clock_wall_ms(&server->clock),
    };
    return auth_identify(turn_registry(server->turn), &input, caller);
}

/* A bearer token in the header, or a single-use code in the body, becomes a session. */
void route_session_new(struct server *server, struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);
    struct caller caller;
    int64_t now_at = clock_wall_ms(&server->clock);
    char code[SECRET_TOKEN_SIZE], session[SECRET_TOKEN_SIZE];
    enum err err = ERR_OK;
    if (body_code(request, code))
        err = auth_code_exchange(server->turn, code, now_at, session);
    else if (!(err = bearer_caller(server, request, &caller)))
        err = auth_token_create(server->turn, TOKEN_SESSION, caller.name, caller.role, now_at,
                                AUTH_SESSION_MS, session);
    if (err)
        exchange_error(exchange, err);
    else
        reply_session(exchange, session, (int)(AUTH_SESSION_MS / 1000));
}

void route_session_end(struct server *server, struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);
    const char *session = http_request_cookie(request, AUTH_COOKIE);
    enum err err = session ? auth_session_end(server->turn, session) : ERR_NOT_FOUND;
    if (err && err != ERR_NOT_FOUND)
        exchange_error(exchange, err);
    else
        reply_session(exchange, "", 0);
}

static void add_time(struct buf *buf, const char *name, int64_t at)
{
    char text[CLOCK_TEXT_MAX];
    if (at)
        buf_addf(buf, ",\"%s\":\"%s\"", name, clock_rfc3339(at, text));
    else
        buf_addf(buf, ",\"%s\":null", name);
}

/* One page of the devices: those behind the one that `after` names, in the order in which they
 * came. */
struct device_page {
    struct buf buf;
    const char *after; /* NULL: from the first; becomes NULL once it is passed */
    int left;
    const char *last, *next; /* ids, the registry's */
};

static void add_device(struct buf *buf, const struct device *device)
{
    buf_add_str(buf, buf->data[buf->len - 1] == '[' ? "{\"id\":" : ",{\"id\":");
    buf_add_json_str(buf, device->id);
    buf_add_str(buf, ",\"topic\":");
    buf_add_json_str(buf, device->topic);
    buf_addf(buf, ",\"lock\":\"%s\",\"presence\":\"%s\"", lock_state_name(device->lock),
             presence_name(device->presence));
    add_time(buf, "changed_at", device->changed_at);
    add_time(buf, "seen_at", device->seen_at);
    buf_add_str(buf, "}");
}

static bool device_visit(void *arg, const void *record)
{
    struct device_page *page = arg;
    const struct device *device = record;
    if (page->after) {
        if (strcmp(page->after, device->id) == 0)
            page->after = NULL;
        return true;
    }
    if (!page->left--) {
        page->next = page->last;
        return false;
    }
    page->last = device->id;
    add_device(&page->buf, device);
    return true;
}

void route_devices(struct server *server, struct http_request *request)
{
    struct device_page page = {.after = http_request_query(request, "after"), .left = DEVICES_PAGE};
    buf_init(&page.buf, LIST_MAX_BYTES);
    buf_add_str(&page.buf, "{\"devices\":[");
    registry_each(turn_registry(server->turn), REC_DEVICE, device_visit, &page);
    buf_add_str(&page.buf, "],\"next\":");
    if (page.next)
        buf_add_json_str(&page.buf, page.next);
    else
        buf_add_str(&page.buf, "null");
    buf_add_str(&page.buf, "}");
    exchange_json_kept(exchange_of(request), 200, &page.buf);
}

/* One JSON array of the lines that `list` writes. */
static void add_lines(struct server *server, struct buf *buf, server_list_fn *list)
{
    struct buf lines;
    buf_init(&lines, 16384);
    list(server, &lines);
    buf_add_str(buf, "[");
    for (char *line = lines.data, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        buf_add_str(buf, line == lines.data ? "" : ",");
        buf_add_json_str(buf, line);
    }
    buf_add_str(buf, "]");
    buf_free(&lines);
}

void route_status(struct server *server, struct http_request *request)
{
    struct buf buf;
    buf_init(&buf, LIST_MAX_BYTES);
    buf_addf(&buf, "{\"version\":\"%s\"", GATEHOUSE_VERSION);
    add_time(&buf, "started_at", server->started_at);
    buf_addf(&buf, ",\"connections\":%u,\"pictures\":{\"newest\":", http_connections(server->http));
    buf_add_json_str(&buf, server->newest_picture);
    buf_add_str(&buf, "},\"problems\":");
    add_lines(server, &buf, server_problems);
    buf_add_str(&buf, ",\"warnings\":");
    add_lines(server, &buf, server_warnings);
    buf_add_str(&buf, ",\"counters\":{");
    for (int i = 0; i < COUNTERS; i++)
        buf_addf(&buf, "%s\"%s\":%" PRIu64, i ? "," : "", action_counter_name((enum counter)i),
                 action_counter(server->actions, (enum counter)i));
    buf_add_str(&buf, "},\"routes\":[");
    for (const struct route *route = route_table; route->pattern; route++) {
        buf_add_str(&buf, route == route_table ? "{\"address\":" : ",{\"address\":");
        buf_add_json_str(&buf, route->pattern);
        buf_addf(&buf, ",\"uses\":%" PRIu64 "}", server->route_uses[route - route_table]);
    }
    buf_add_str(&buf, "]}");
    exchange_json_kept(exchange_of(request), 200, &buf);
}

void route_actions(struct server *server, struct http_request *request)
{
    struct buf buf;
    buf_init(&buf, LIST_MAX_BYTES);
    buf_add_str(&buf, "{\"actions\":[");
    const struct action *action;
    for (size_t i = 0; (action = action_at(server->actions, i)); i++) {
        buf_addf(&buf, "%s{\"word\":\"%s\",\"grammar\":", i ? "," : "", action->word);
        buf_add_json_str(&buf, action->grammar);
        buf_add_str(&buf, ",\"help\":");
        buf_add_json_str(&buf, action->help);
        buf_addf(&buf, ",\"class\":\"%s\",\"role\":\"%s\",\"uses\":%" PRIu64 "}",
                 action_class_name(action->command_class), role_name(action->role),
                 action_uses(server->actions, action->word));
    }
    buf_add_str(&buf, "]}");
    exchange_json_kept(exchange_of(request), 200, &buf);
}
