/* SPDX-License-Identifier: MIT
 *
 * Takes a request's body: throws it away, collects it, or has its file part handed on in pieces,
 * each kind within its limit, counted again as it comes since a chunked body declares nothing.
 * While a piece is with the owner the connection is suspended, so nothing piles up here and the
 * client's own socket holds it back.
 */
#include "server/http_priv.h"

#include <stdlib.h>

void http_body_begin(struct http_request *request)
{
    const struct http *http = request->http;

    request->body_limit = HTTP_BODY_MAX;
    buf_init(&request->body, HTTP_BODY_MAX);
    if (request->want != HTTP_BODY_FORM_FILE)
        return;
    request->file_result = http_form_begin(request);
    if (request->file_result != ERR_OK)
        return;
    request->body_limit = http->options.max_upload_bytes + HTTP_FORM_SLACK;
    http_deadline_in(request->connection, http->options.upload_s);
}

/* Gives the collected piece to the owner; suspends unless it is done with it at once. */
static void hand_on(struct http_request *request)
{
    struct http *http = request->http;

    request->piece_out = true;
    http->options.on_file_piece(http->options.owner, request, request->piece.data,
                                request->piece.len);
    buf_free(&request->piece);
    if (request->piece_out && request->response == NULL && !request->broken)
        http_suspend(request);
}

void http_piece_done(struct http_request *request, enum err result)
{
    request->piece_out = false;
    if (request->piece_result == ERR_OK)
        request->piece_result = result;
    /* In the last phase the connection waits for its answer, not for a piece. */
    if (request->phase == HTTP_AT_BODY)
        http_resume(request);
}

enum MHD_Result http_body_take(struct http_request *request, const char *bytes, size_t *len)
{
    size_t size = *len;

    /* The chunks of one buffer come in a row, suspended or not: nothing taken, it comes again. */
    if (request->suspended)
        return MHD_YES;
    request->body_seen += (int64_t)size;
    if (request->body_seen > request->body_limit)
        request->too_large = true;
    if (request->body_seen > request->body_limit + HTTP_DRAIN_MAX)
        return MHD_NO;
    *len = 0;
    if (request->too_large || request->response != NULL || request->piece_result != ERR_OK) {
        buf_free(&request->body);
        return MHD_YES;
    }
    if (request->want == HTTP_BODY_COLLECT) {
        buf_add(&request->body, bytes, size);
        if (buf_error(&request->body) == ERR_NO_MEMORY)
            return MHD_NO;
    } else if (request->form != NULL && request->file_result == ERR_OK) {
        if (!http_form_feed(request, bytes, size))
            request->file_result = ERR_BAD_INPUT;
        if (request->file_bytes > request->http->options.max_upload_bytes)
            request->too_large = true;
        else if (request->piece.len > 0)
            hand_on(request);
    }
    return MHD_YES;
}

void http_body_end(struct http_request *request)
{
    enum err end;

    if (request->form == NULL)
        return;
    end = http_form_end(request);
    if (request->file_result == ERR_OK)
        request->file_result = request->piece_result != ERR_OK ? request->piece_result : end;
}

void http_body_free(struct http_request *request)
{
    if (request->form != NULL)
        http_form_end(request);
    buf_free(&request->body);
    buf_free(&request->fields);
    buf_free(&request->field_value);
    buf_free(&request->piece);
}

const void *http_request_body(const struct http_request *request, size_t *len)
{
    *len = request->body.len;
    return request->body.data != NULL ? request->body.data : "";
}

enum err http_request_file_result(const struct http_request *request)
{
    return request->file_result;
}
