/* SPDX-License-Identifier: MIT
 *
 * The addresses that phones and boards already use (CONTRACT 1.3): plain text, `0` for done and `1`
 * for not. Each becomes an action request through the same function as an MQTT payload.
 */
#include "server/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions/words.h"
#include "server/base/json.h"
#include "server/base/names.h"
#include "server/exchange.h"
#include "server/server.h"

void route_hello(struct server *server, struct http_request *request)
{
    (void)server;
    http_reply_text(request, 200, "hello");
}

/* The phone compares the body with `1`, so every failure after the sign-in is a 200. */
static void command_done(void *arg, enum err result)
{
    struct exchange *exchange = arg;
    exchange_text(exchange, 200, result ? "1" : "0");
    exchange_release(exchange);
}

static void dispatch(struct server *server, struct exchange *exchange, const char *payload)
{
    struct words words;
    if (words_split(payload, strlen(payload), &words)) {
        exchange_text(exchange, 200, "1");
        return;
    }
    struct action_request action = {
        .caller = exchange->caller,
        .words = &words,
        .with_answer = true,
        .done = command_done,
        .done_arg = exchange_hold(exchange),
    };
    action.caller.late = http_request_waited_ms(exchange->request) > SERVER_LATE_MS;
    action_dispatch(server->actions, &action);
}

/* Whether the body names a device in a way that isn't read: JSON, a broken form, `Device`. */
static bool body_speaks_of_device(const struct http_request *request)
{
    static const char word[] = "device";
    size_t len = 0;
    const char *body = http_request_body(request, &len);
    for (size_t i = 0; i + sizeof word - 1 <= len; i++)
        if (strncasecmp(body + i, word, sizeof word - 1) == 0)
            return true;
    return false;
}

/* An empty or broken `device` must never mean "all of them": a script whose variable is unset would
 * open every door. */
static void command_by_address(struct server *server, struct http_request *request,
                               const char *word)
{
    struct exchange *exchange = exchange_of(request);
    const char *device = http_request_query(request, "device");
    if (!device)
        device = http_request_form(request, "device");
    bool unread = !device && body_speaks_of_device(request);
    if (unread || (device && strcmp(device, "*") != 0 && !name_is_valid(device, strlen(device)))) {
        action_count(server->actions, COUNTER_UNKNOWN_DEVICE);
        exchange_text(exchange, 200, "1");
        return;
    }
    char payload[64 + NAME_SIZE];
    snprintf(payload, sizeof payload, device ? "%s %s" : "%s", word, device);
    dispatch(server, exchange, payload);
}

void route_lock(struct server *server, struct http_request *request)
{
    command_by_address(server, request, "lock");
}

void route_unlock(struct server *server, struct http_request *request)
{
    command_by_address(server, request, "unlock");
}

static const char *text_member(const struct json *json, const char *name)
{
    const char *text = json_str(json_get(json, name));
    return text ? text : "";
}

/* {"name":"lock"|"unlock","topic":"DEVICE_ID","topic2":"APP_ID","time":"..."}; an APP_ID that is no
 * name is left out: it only says who asked. */
static bool test_payload(const struct json *json, char *payload, size_t size)
{
    const char *name = text_member(json, "name"), *device = text_member(json, "topic");
    const char *app = text_member(json, "topic2");
    if (strcmp(name, "lock") != 0 && strcmp(name, "unlock") != 0)
        return false;
    /* For that device, and `*` is none. */
    if (!name_is_valid(device, strlen(device)) || strcmp(device, "*") == 0)
        return false;
    bool with_app = name_is_valid(app, strlen(app));
    int len = snprintf(payload, size, with_app ? "%s %s %s" : "%s %s", name, device, app);
    return len > 0 && (size_t)len < size;
}

void route_test(struct server *server, struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);
    size_t len = 0;
    const char *text = http_request_form(request, "data");
    if (text)
        len = strlen(text);
    else
        text = http_request_body(request, &len);
    struct json *json = NULL;
    enum err err = json_parse(text ? text : "", len, &json_limits_wire, &json, NULL);
    if (err || json_type(json) != JSON_OBJECT) {
        json_free(json);
        exchange_error(exchange, err == ERR_NO_MEMORY ? err : ERR_BAD_INPUT);
        return;
    }
    char payload[64 + 2 * NAME_SIZE];
    bool known = test_payload(json, payload, sizeof payload);
    json_free(json);
    if (known)
        dispatch(server, exchange, payload);
    else
        exchange_text(exchange, 200, "1");
}

static bool data_visit(void *arg, const void *record)
{
    struct buf *buf = arg;
    const struct data_item *item = record;
    buf_add_str(buf, buf->len > 1 ? ", " : "");
    buf_add_json_str(buf, item->key);
    buf_add_str(buf, ": ");
    buf_add_json_str(buf, item->value);
    return true;
}

#define DATA_MAX_BYTES (16u << 20)

void route_data(struct server *server, struct http_request *request)
{
    struct buf buf;
    buf_init(&buf, DATA_MAX_BYTES);
    buf_add_str(&buf, "{");
    registry_each(turn_registry(server->turn), REC_DATA, data_visit, &buf);
    buf_add_str(&buf, "}");
    exchange_json_kept(exchange_of(request), 200, &buf);
}
