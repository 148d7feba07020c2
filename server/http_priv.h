/* SPDX-License-Identifier: MIT
 *
 * What the files of the HTTP adapter (server/http*.c) share. A request walks through them so:
 *
 *   http_request.c  address seen, headers seen (guard, on_headers), body, on_request, end
 *   http_body.c     collects the body or hands it on in pieces; http_form.c reads its fields
 *   http_reply.c    turns a reply into a response that libmicrohttpd queues
 *   http_pump.c     runs libmicrohttpd from the loop, suspends and resumes
 *   http_deadline.c ends connections whose time is over; http_peers.c counts them per address
 *
 * Nobody outside includes this.
 */
#ifndef SERVER_HTTP_PRIV_H
#define SERVER_HTTP_PRIV_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <microhttpd.h>
#include <uv.h>

#include "server/base/buf.h"
#include "server/http.h"
#include "server/http_peers.h"

#define HTTP_BODY_MAX   (64 * 1024)   /* CONTRACT 1.6 */
#define HTTP_FORM_SLACK (64 * 1024)   /* what a multipart body may have beside its file */
#define HTTP_DRAIN_MAX  (1024 * 1024) /* read past a limit, so that the refusal can be heard */
#define HTTP_POOL       8192          /* of a connection, for its head and both directions */
#define HTTP_ANSWER_S   60            /* to take an answer, and a second for each 64 KB of it */
#define HTTP_TICK_MS    500
#define HTTP_CACHED     16
#define HTTP_SPARE      256 /* request structs kept for the next request */

struct http_connection {
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_connection *prev, *next;
    struct http_request *request; /* the one at work; NULL between two */
    int fd;
    bool loopback, counted;
    uint64_t deadline; /* loop time in ms; 0: none, it is our turn */
    struct sockaddr_storage address;
    char peer[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];
};

enum http_phase {
    HTTP_AT_HEAD,  /* no handler call yet: the address is known, the headers are coming */
    HTTP_AT_BODY,  /* on_headers was called */
    HTTP_AT_OWNER, /* on_request was called, or all is read and a reply is there */
    HTTP_AT_ANSWER /* the response is libmicrohttpd's */
};

struct http_request {
    struct http *http;
    struct http_connection *connection;
    struct http_request *next_spare;
    enum http_phase phase;
    enum http_method method;
    const char *path;
    void *data;

    bool announced; /* on_headers was called: on_end is due */
    bool in_handler, suspended;
    bool broken; /* nothing to answer with: the connection is closed */

    struct MHD_Response *response; /* wanted, not yet queued */
    bool response_cached;          /* the cache owns it */
    unsigned status;
    int64_t response_size;

    char uri_small[160]; /* the address as it came, until the guard has seen it */
    char *uri;           /* uri_small or malloc'd */
    size_t uri_len;
    const char *uri_at; /* where it lies in libmicrohttpd's buffer: only compared */

    enum http_body want;
    int64_t declared; /* Content-Length; -1: chunked */
    int64_t body_limit, body_seen;
    bool too_large;
    struct buf body;

    struct MHD_PostProcessor *form; /* multipart, while it comes in */
    struct buf fields;              /* "name\0value\0" and again */
    bool fields_read;
    unsigned part_count;
    bool part_empty, part_is_file, file_seen, file_over;
    int64_t file_bytes;
    char field_name[72];
    struct buf field_value;
    bool field_open;
    struct buf piece;
    bool piece_out; /* on_file_piece was called, http_piece_done was not */
    enum err file_result, piece_result;
};

struct http_cached {
    int status;
    const void *body;
    size_t len;
    char type[64];
    struct MHD_Response *response;
};

struct http {
    struct http_options options;
    int listen_fd, port;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_idle_t idle;
    uv_timer_t tick;
    bool started, running, kicked, drained, closing;
    int open_handles;
    unsigned limit, reserve;
    unsigned count;
    struct http_peers peers;
    struct http_connection *connections;
    struct http_request *spare;
    unsigned spare_count;
    struct http_cached cached[HTTP_CACHED];
    unsigned cached_count;
    void (*close_done)(void *owner);
    void *close_owner;
};

/* http_listen.c */
enum err http_listen(const char *address, int port, int *fd, int *bound, struct cause *cause);
/* Raises the limit of open files as far as it may go; what it is then. */
unsigned http_raise_files(void);
bool http_address_text(const struct sockaddr *address, char out[static INET6_ADDRSTRLEN]);
bool http_address_is_loopback(const struct sockaddr *address);

/* http_pump.c */
void http_enter(struct http *http);
void http_run(struct http *http);
/* libmicrohttpd has something to do that no descriptor tells about: run it soon. */
void http_kick(struct http *http);
void http_suspend(struct http_request *request);
void http_resume(struct http_request *request);

/* http_deadline.c */
void http_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_ConnectionNotificationCode code);
enum MHD_Result http_may_connect(void *cls, const struct sockaddr *address, socklen_t len);
void http_deadline_in(struct http_connection *connection, unsigned seconds);
void http_deadline_sweep(struct http *http);

/* http_request.c */
void *http_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_on_call(void *cls, struct MHD_Connection *mhd, const char *url,
                             const char *method, const char *version, const char *bytes,
                             size_t *len, void **context);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode code);
void http_spare_free(struct http *http);

/* http_head.c */
/* Runs the guard over what libmicrohttpd made of the head. */
enum err http_head_check(struct http_request *request, const char *method, const char *version);

/* http_reply.c */
/* Hands the wanted response over; only inside a handler call. */
enum MHD_Result http_reply_queue(struct http_request *request);
void http_reply_drop(struct http_request *request);
void http_reply_cache_free(struct http *http);

/* http_body.c */
void http_body_begin(struct http_request *request);
/* Takes all or nothing of `len` bytes; MHD_NO closes the connection. */
enum MHD_Result http_body_take(struct http_request *request, const char *bytes, size_t *len);
void http_body_end(struct http_request *request);
void http_body_free(struct http_request *request);

/* http_form.c */
/* Starts reading a multipart body; ERR_NOT_FOUND when it is none, ERR_BAD_INPUT. */
enum err http_form_begin(struct http_request *request);
bool http_form_feed(struct http_request *request, const char *bytes, size_t len);
enum err http_form_end(struct http_request *request);

#endif
