/* SPDX-License-Identifier: MIT
 *
 * POST /upload: the first file part goes to disk in pieces as it comes, one piece in memory at a
 * time; then it is judged, becomes the picture of an alert, and only when all of that is on disk
 * the camera gets its `0`.
 */
#include "server/routes.h"

#include <string.h>

#include "actions/alert.h"
#include "server/exchange.h"
#include "server/server.h"
#include "state/pictures.h"

/* No hold is taken for it: when the client leaves, exchange_on_end() aborts the upload, and this
 * isn't called any more. */
static void piece_written(void *arg, enum err result)
{
    struct exchange *exchange = arg;
    if (result)
        exchange->failed = result;
    http_piece_done(exchange->request, result);
}

void route_upload_piece(void *owner, struct http_request *request, const void *bytes, size_t len)
{
    struct server *server = owner;
    struct exchange *exchange = exchange_of(request);
    if (!exchange->failed && !exchange->upload)
        exchange->failed = picture_upload_begin(server->pictures, &exchange->upload);
    if (exchange->failed) {
        http_piece_done(request, exchange->failed);
        return;
    }
    picture_upload_write(exchange->upload, bytes, len, piece_written, exchange);
}

static void upload_refused(struct exchange *exchange, enum err err)
{
    if (err == ERR_UNSUPPORTED)
        exchange_text(exchange, 200, "1");
    else
        exchange_error(exchange, err);
}

static void upload_kept(void *arg, enum err result)
{
    struct exchange *exchange = arg;
    if (result)
        upload_refused(exchange, result);
    else
        exchange_text(exchange, 200, "0");
    if (!result)
        text_copy(exchange->server->newest_picture, SECRET_ID_SIZE, exchange->header_value,
                  SECRET_ID_SIZE - 1);
    if (!exchange->server->stopping)
        pictures_retain(exchange->server->pictures, exchange->server->store, exchange->server->turn,
                        clock_wall_ms(&exchange->server->clock));
    exchange_release(exchange);
}

static void copy_query(struct http_request *request, const char *name, char out[static NAME_SIZE])
{
    const char *text = http_request_query(request, name);
    if (!text)
        text = http_request_form(request, name);
    text_copy(out, NAME_SIZE, text ? text : "", text ? strlen(text) : 0);
}

/* A client that left before its answer gets no alert of half a story: the camera sends the frame
 * again. */
static void upload_stored(void *arg, const struct picture *stored, enum err result)
{
    struct exchange *exchange = arg;
    if (result) {
        upload_refused(exchange, result);
        exchange_release(exchange);
        return;
    }
    struct picture picture = *stored;
    if (!exchange->request) {
        if (!exchange->server->stopping)
            pictures_remove(exchange->server->pictures, picture.id);
        exchange_release(exchange);
        return;
    }
    text_copy(exchange->header_value, sizeof exchange->header_value, picture.id,
              strlen(picture.id));
    copy_query(exchange->request, "pic_name", picture.name);
    copy_query(exchange->request, "topic", picture.topic);
    copy_query(exchange->request, "time", picture.claimed);
    alert_picture_stored(exchange->server->actions, &picture, upload_kept, exchange);
}

void route_upload(struct server *server, struct http_request *request)
{
    (void)server;
    struct exchange *exchange = exchange_of(request);
    struct picture_upload *upload = exchange->upload;
    enum err err = http_request_file_result(request);
    if (exchange->failed || err || !upload) {
        if (exchange->failed)
            err = exchange->failed;
        else if (!err)
            err = ERR_UNSUPPORTED; /* a file part of no bytes: a picture that is refused */
        else
            err = ERR_BAD_INPUT;
        upload_refused(exchange, err);
        return;
    }
    exchange->upload = NULL;
    picture_upload_finish(upload, upload_stored, exchange_hold(exchange));
}
