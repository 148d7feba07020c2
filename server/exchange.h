/* SPDX-License-Identifier: MIT
 *
 * One HTTP request on its way through the house: what the router and the sign-in found, and a hold
 * that lets an answer come late, or never, when the client has left meanwhile. Loop thread.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stddef.h>

#include "actions/action.h"
#include "server/base/buf.h"
#include "server/http.h"
#include "server/router.h"

struct picture_upload;

struct exchange {
    struct server *server;
    struct http_request *request; /* NULL once the request is over: an answer has nowhere to go */
    int holds;                    /* private: the request's own and one for each answer under way */
    struct route_match match;
    struct caller caller;
    struct picture_upload *upload; /* /upload only; NULL before the first piece */
    struct http_reply reply;       /* exchange_reply_kept(): waits for the commit */
    char *reply_body;
    struct http_header headers[2]; /* for reply; ends with a NULL name */
    char header_value[256];
    enum err failed; /* of a piece of the upload */
};

/* The exchange of a request that on_headers accepted. */
struct exchange *exchange_of(struct http_request *request);
/* For an answer that comes later: take one hold, give it back after answering. */
struct exchange *exchange_hold(struct exchange *exchange);
void exchange_release(struct exchange *exchange);

/* Plain text, `text` static. */
void exchange_text(struct exchange *exchange, int status, const char *text);
/* The plain text of an error: its message, cause and cure, with the status. */
void exchange_error(struct exchange *exchange, enum err err);
/* Answers once all that was noted so far is on disk; takes `body` over (free()). Without a commit:
 * the error. */
void exchange_reply_kept(struct exchange *exchange, int status, const char *type, char *body);
/* The same with what `buf` holds; an error of the buffer becomes a 503. */
void exchange_json_kept(struct exchange *exchange, int status, struct buf *buf);

/* The adapter's callbacks (http_options), `owner` is the server. */
enum http_body exchange_on_headers(void *owner, struct http_request *request);
void exchange_on_request(void *owner, struct http_request *request);
void exchange_on_end(void *owner, struct http_request *request);

#endif
