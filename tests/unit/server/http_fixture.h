/* SPDX-License-Identifier: MIT
 *
 * A real adapter on a loop in a thread of its own, with a few addresses made for tests, and a
 * client of blocking sockets.
 *
 *   /hello            "hello", static              /echo      the body
 *   /later            "later" after 20 ms          /hold      after fixture_release()
 *   /form?name=       that field of the body       /query     the query value of q
 *   /upload           the first file, see there    /file      a file's bytes by descriptor
 *   /refuse           401 from on_headers          /cookie    the cookie c
 *   /peer             "peer local"                 else       404
 */
#ifndef TESTS_UNIT_SERVER_HTTP_FIXTURE_H
#define TESTS_UNIT_SERVER_HTTP_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "server/http.h"

struct fixture {
    struct http_options options; /* set before fixture_start() */
    int port;
    atomic_int requests, ended, pieces, pieces_out, most_pieces_out, held, wakes, settles;
    atomic_bool hold_pieces; /* pieces are done only after fixture_release() */

    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t stop, release;
    struct http *http;
    struct call *calls;
    bool started;
};

void fixture_init(struct fixture *fixture);
void fixture_start(struct fixture *fixture);
/* Answers what is held and lets pieces go on. */
void fixture_release(struct fixture *fixture);
/* Closes the adapter; fails the test when a handle is left. */
void fixture_stop(struct fixture *fixture);
/* Waits until `value` is at least `least`; fails the test after 10 s. */
void fixture_await(const atomic_int *value, int least);

struct answer {
    int status;
    size_t len;
    char head[9000];
    char body[200000];
    bool closed; /* the connection ended behind it */
};
int client_connect(int port);
void client_send(int fd, const void *bytes, size_t len);
void client_text(int fd, const char *text);
/* Reads one answer by its Content-Length; status 0 when the connection ended without one. */
void client_read(int fd, struct answer *answer);
/* Like client_read(), of an answer to HEAD. */
void client_read_head(int fd, struct answer *answer);
/* Whether the peer has closed; waits up to `ms` for it. */
bool client_is_closed(int fd, int ms);
/* One connection: sends, reads one answer, looks whether the server closes. */
void client_ask(int port, const char *text, struct answer *answer);
void client_ask_bytes(int port, const void *bytes, size_t len, struct answer *answer);

#endif
