/* SPDX-License-Identifier: MIT
 *
 * libmicrohttpd on a libuv loop, without its threads, and nothing else: the pump, deadlines,
 * limits, the guard's verdict, bodies collected up to a limit or handed on in pieces. It hands each
 * request to one function and takes one reply, then or later. No routing, no state. PITFALLS 1-12.
 * Loop thread.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct uv_loop_s;
struct http;
struct http_request;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHODS
};
const char *http_method_name(enum http_method method);

/* How the body of a request is wanted; the router answers this from the first call, before any byte
 * of the body. */
enum http_body {
    HTTP_BODY_NONE,     /* read and thrown away, at most 64 KB */
    HTTP_BODY_COLLECT,  /* collected, at most 64 KB; http_request_body() */
    HTTP_BODY_FORM_FILE /* multipart/form-data: the first file part in pieces to on_file_piece() */
};

struct http_options {
    struct uv_loop_s *loop;
    const char *listen;
    int port; /* 0: a free one */
    int64_t max_upload_bytes;
    unsigned max_connections; /* 0: 4096, less what the process's file limit allows */
    unsigned max_per_address; /* 0: 256; loopback is not limited by it, and 32 slots are kept for
                                 loopback */
    unsigned idle_s, request_s,
        upload_s; /* 0: 15, 15, 120: silence; a whole request; a whole upload */

    void *owner;
    /* Called when the headers are there and passed the guard. It may http_reply() at once
     * (refusal), or set how the body is wanted and return; then on_request comes when the body is
     * complete. */
    enum http_body (*on_headers)(void *owner, struct http_request *request);
    void (*on_request)(void *owner, struct http_request *request);
    /* HTTP_BODY_FORM_FILE: a piece of the first file part; its bytes live during the call. The
     * reader pauses until http_piece_done(), unless that or http_reply() comes within the call. */
    void (*on_file_piece)(void *owner, struct http_request *request, const void *bytes, size_t len);
    /* The request is over (answered, or the client went away): free what hangs on
     * http_request_data(). Once for each request that on_headers saw, also for one that the adapter
     * refused itself (413), and for those that http_close() ends; the request is gone after it. */
    void (*on_end)(void *owner, struct http_request *request);
    /* As in mqtt_options. */
    bool (*wake)(void *owner);
    void (*settle)(void *owner);
};

/* The process must ignore SIGPIPE. Listens at once (errors: ERR_CONFLICT port taken, with a cause
 * that names the cure) but serves from http_start() on. */
enum err http_new(const struct http_options *options, struct http **out, struct cause *cause);
enum err http_start(struct http *http, struct cause *cause);
int http_port(const struct http *http);
/* Stops listening and ends all connections (suspended ones are resumed first); `done` when all
 * handles are closed; frees. */
void http_close(struct http *http, void (*done)(void *owner), void *owner);
/* Whether libmicrohttpd had nothing left to do at its last run; to tell when what waited during a
 * standstill is through. */
bool http_is_drained(const struct http *http);
unsigned http_connections(const struct http *http);

/* What a request says. Texts live as long as the request. */
enum http_method http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); /* decoded, without the query */
const char *http_request_header(const struct http_request *request,
                                const char *name); /* NULL: none */
const char *http_request_query(const struct http_request *request,
                               const char *name); /* decoded; NULL: none */
/* A field of the body: application/x-www-form-urlencoded, or a small field of a multipart body. */
const char *http_request_form(const struct http_request *request, const char *name);
const char *http_request_cookie(const struct http_request *request, const char *name);
const void *http_request_body(const struct http_request *request, size_t *len);
/* Multipart: ERR_OK, ERR_BAD_INPUT (no end, broken), ERR_NOT_FOUND (no file part, or the body is no
 * multipart), or what http_piece_done() was given; known in on_request. */
enum err http_request_file_result(const struct http_request *request);
/* The peer's address as text without port, and whether it is loopback. */
const char *http_request_peer(const struct http_request *request);
/* The local address this request came to, text without port. */
const char *http_request_local(const struct http_request *request);
/* How long the last bytes of the request lay in the socket before they were read, or have been
 * there since. -1: unknown. */
int64_t http_request_waited_ms(const struct http_request *request);
/* A pointer of the owner's. */
void *http_request_data(const struct http_request *request);
void http_request_set_data(struct http_request *request, void *data);
/* Other than ERR_OK: no more pieces come, the rest is read and thrown away, and `result` is the
 * file result in on_request. */
void http_piece_done(struct http_request *request, enum err result);

struct http_header {
    const char *name, *value;
};
struct http_reply {
    int status;
    const char *type; /* Content-Type; NULL: text/plain; charset=utf-8 */
    const void *body; /* copied unless body_static */
    size_t len;
    bool body_static; /* lives for ever: not copied */
    int fd;           /* when >= 0: the body is this file, sent by sendfile, closed after */
    int64_t fd_size;
    const struct http_header *headers; /* ends with a NULL name; copied; NULL: none */
    bool close;                        /* close the connection after it */
};
#define HTTP_REPLY_INIT                                                                            \
    {                                                                                              \
        .status = 200, .fd = -1                                                                    \
    }
/* Answers, once; from on_headers, on_request or any later loop callback. HEAD is cut by the
 * adapter. */
void http_reply(struct http_request *request, const struct http_reply *reply);
/* A plain text answer, `text` static. */
void http_reply_text(struct http_request *request, int status, const char *text);

#endif
