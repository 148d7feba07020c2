/* SPDX-License-Identifier: MIT
 *
 * Pictures out: /get_pic (the newest, or the newest of a name) and an alert's link. Rows come from
 * the query thread, the file from the file thread, its bytes from sendfile.
 */
#include "server/routes.h"

#include <string.h>
#include <unistd.h>

#include "server/exchange.h"
#include "server/server.h"
#include "state/pictures.h"

/* Strangers' pictures are nobody else's business: no cache keeps them. */
static const struct http_header private_headers[] = {
    {"Cache-Control", "private, no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {NULL, NULL},
};

static void picture_opened(void *arg, int fd, int64_t bytes, enum err result)
{
    struct exchange *exchange = arg;
    if (result) {
        exchange_error(exchange, result);
    } else if (!exchange->request) {
        close(fd);
    } else {
        struct http_reply reply = HTTP_REPLY_INIT;
        reply.type = exchange->header_value;
        reply.headers = private_headers;
        reply.fd = fd;
        reply.fd_size = bytes;
        http_reply(exchange->request, &reply);
    }
    exchange_release(exchange);
}

static void picture_found(void *arg, void *const *rows, size_t count, enum err result)
{
    struct exchange *exchange = arg;
    if (result || !count || !exchange->request) {
        exchange_error(exchange, result ? result : ERR_NOT_FOUND);
        exchange_release(exchange);
        return;
    }
    const struct picture *picture = rows[0];
    text_copy(exchange->header_value, sizeof exchange->header_value, picture->type,
              strlen(picture->type));
    pictures_open(exchange->server->pictures, picture->id, picture_opened, exchange);
}

void route_get_pic(struct server *server, struct http_request *request)
{
    static const struct {
        const char *parameter, *column;
    } filters[] = {{"pic_name", "name"}, {"topic", "topic"}, {"time", "claimed"}};
    struct store_query query = {
        .kind = REC_PICTURE, .order = "created_at", .descending = true, .limit = 1};
    size_t used = 0;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const char *value = http_request_query(request, filters[i].parameter);
        if (!value)
            value = http_request_form(request, filters[i].parameter);
        if (!value || !*value)
            continue;
        query.where[used].column = filters[i].column;
        query.where[used++].equals = value;
    }
    store_query(server->store, &query, picture_found, exchange_hold(exchange_of(request)));
}

/* One answer for a wrong capability, an unknown alert and a picture that isn't there yet: nothing
 * to learn by asking. */
static void alert_found(void *arg, void *const *rows, size_t count, enum err result)
{
    struct exchange *exchange = arg;
    const struct alert *alert = count ? rows[0] : NULL;
    bool may = alert && secret_equal(alert->capability, exchange->header_value);
    if (result || !may || !alert->picture_id[0] || !exchange->request) {
        exchange_error(exchange, result ? result : ERR_NOT_FOUND);
        exchange_release(exchange);
        return;
    }
    struct store_query query = {.kind = REC_PICTURE, .limit = 1};
    query.where[0].column = "id";
    query.where[0].equals = alert->picture_id;
    store_query(exchange->server->store, &query, picture_found, exchange);
}

void route_alert_picture(struct server *server, struct http_request *request)
{
    struct exchange *exchange = exchange_of(request);
    const char *capability = http_request_query(request, "c");
    if (!capability || strlen(capability) != SECRET_ID_SIZE - 1) {
        exchange_error(exchange, ERR_NOT_FOUND);
        return;
    }
    text_copy(exchange->header_value, sizeof exchange->header_value, capability,
              strlen(capability));
    struct store_query query = {.kind = REC_ALERT, .limit = 1};
    query.where[0].column = "id";
    query.where[0].equals = exchange->match.param[0];
    store_query(server->store, &query, alert_found, exchange_hold(exchange));
}
