/* SPDX-License-Identifier: MIT
 *
 * The one list of error codes: code, HTTP status (RFC 9110; 507 RFC 4918), message for people.
 * Nothing here prints or logs. A failing layer returns a code and explains itself in a `struct
 * cause`; the layer that decides what to do says it aloud.
 */
#ifndef SERVER_BASE_ERR_H
#define SERVER_BASE_ERR_H

#include <stddef.h>

#define ERR_LIST(X)                                                                                \
    X(OK, 200, "done")                                                                             \
    X(BAD_INPUT, 400, "the request is not well formed")                                            \
    X(UNAUTHORIZED, 401, "a valid token is needed")                                                \
    X(FORBIDDEN, 403, "this is not allowed")                                                       \
    X(NOT_FOUND, 404, "there is no such thing")                                                    \
    X(METHOD, 405, "this address does not take that method")                                       \
    X(TIMEOUT, 408, "the time for this is over")                                                   \
    X(CONFLICT, 409, "this contradicts what is there")                                             \
    X(AWAY, 409, "the device is away")                                                             \
    X(NO_DEVICE, 404, "there is no such device")                                                   \
    X(TOO_LARGE, 413, "this is larger than allowed")                                               \
    X(UNSUPPORTED, 415, "this is not a kind of data that is taken here")                           \
    X(LIMIT, 429, "too much at once")                                                              \
    X(HEADERS_TOO_LARGE, 431, "the headers are larger than allowed")                               \
    X(INTERNAL, 500, "something went wrong inside the server")                                     \
    X(NO_MEMORY, 503, "the server is out of memory")                                               \
    X(NOT_KEPT, 503, "the change could not be stored")                                             \
    X(NO_LINK, 503, "there is no connection to the broker")                                        \
    X(NOT_HANDED_OVER, 503, "the broker did not take the command in time")                         \
    X(EXPIRED, 503, "the time of the command was over")                                            \
    X(STALLED, 503, "the server stood still and refuses what waited")                              \
    X(STOPPING, 503, "the server is stopping")                                                     \
    X(IO, 500, "reading or writing failed")                                                        \
    X(CORRUPT, 500, "the stored data is damaged")                                                  \
    X(NEWER, 500, "the stored data was written by a newer version")                                \
    X(DISK_FULL, 507, "the disk is full")

enum err {
#define ERR_ENUM(name, status, message) ERR_##name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* Why something failed, in one sentence for people, naming the cause and the cure. Set by the layer
 * that fails, NUL-terminated, cut (never overrun) when longer. Not escaped: the log escapes. */
struct cause {
    char text[512];
};

/* Fills `cause` (may be NULL) and returns `code`, so that a failing line reads `return
 * cause_set(...)`. */
enum err cause_set(struct cause *cause, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The code's own name, "NOT_KEPT"; static storage; "?" for what is no code. */
const char *err_name(enum err code);
/* The code's message for people; static storage. */
const char *err_message(enum err code);
/* The HTTP status that tells this error. */
int err_http_status(enum err code);

#endif
