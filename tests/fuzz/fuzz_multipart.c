/* SPDX-License-Identifier: MIT
 *
 * Uploads through the real adapter, over a pair of sockets. The first byte says in what steps the
 * request is sent, the first line is its Content-Type, the rest its body. One piece at a time is
 * with the owner, no more bytes come than were sent, and each request that was announced ends.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_ROUNDS 20000

static struct {
    uv_loop_t loop;
    struct http *http;
    uv_idle_t later;
    struct http_request *request; /* whose piece is out */
    unsigned announced, asked, ended;
    size_t file_bytes, sent;
    bool slow;
} world;

static enum http_body on_headers(void *owner, struct http_request *request)
{
    (void)owner;
    (void)request;
    world.announced++;
    return HTTP_BODY_FORM_FILE;
}

static void on_request(void *owner, struct http_request *request)
{
    enum err result = http_request_file_result(request);
    const char *note = http_request_form(request, "note");

    (void)owner;
    world.asked++;
    assert(world.request == NULL);
    assert(result == ERR_OK || result == ERR_BAD_INPUT || result == ERR_NOT_FOUND);
    assert(result != ERR_NOT_FOUND || world.file_bytes == 0);
    assert(note == NULL || strlen(note) <= 1024);
    http_reply_text(request, 200, "done");
}

static void on_later(uv_idle_t *idle)
{
    struct http_request *request = world.request;

    uv_idle_stop(idle);
    world.request = NULL;
    if (request != NULL)
        http_piece_done(request, ERR_OK);
}

static void on_file_piece(void *owner, struct http_request *request, const void *bytes, size_t len)
{
    (void)owner;
    assert(world.request == NULL && len > 0 && bytes != NULL);
    world.file_bytes += len;
    assert(world.file_bytes <= world.sent);
    if (!world.slow) {
        http_piece_done(request, ERR_OK);
        return;
    }
    world.request = request;
    uv_idle_start(&world.later, on_later);
}

static void on_end(void *owner, struct http_request *request)
{
    (void)owner;
    if (world.request == request)
        world.request = NULL;
    world.ended++;
}

static void begin(void)
{
    struct http_options options = {.loop = &world.loop,
                                   .listen = "127.0.0.1",
                                   .max_upload_bytes = 1 << 20,
                                   .on_headers = on_headers,
                                   .on_request = on_request,
                                   .on_file_piece = on_file_piece,
                                   .on_end = on_end};

    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&world.loop);
    uv_idle_init(&world.loop, &world.later);
    if (http_new(&options, &world.http, NULL) != ERR_OK || http_start(world.http, NULL) != ERR_OK)
        abort();
}

/* A client's end of a new connection. */
static int join(void)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(9)};
    int pair[2];

    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0 ||
        MHD_add_connection(world.http->daemon, pair[1], (struct sockaddr *)&peer, sizeof(peer)) !=
            MHD_YES)
        abort();
    return pair[0];
}

/* Sends and reads by turns with the loop until the server closes. */
static void talk(int fd, const char *text, size_t len, size_t step)
{
    char answer[512];
    size_t at = 0;

    for (int round = 0; round < MOST_ROUNDS; round++) {
        ssize_t got;

        if (at < len) {
            ssize_t sent = send(fd, text + at, len - at < step ? len - at : step, MSG_NOSIGNAL);

            if (sent > 0)
                at += (size_t)sent;
            else if (errno != EAGAIN)
                at = len;
        }
        uv_run(&world.loop, UV_RUN_NOWAIT);
        got = recv(fd, answer, sizeof(answer), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return;
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[80000];
    const uint8_t *line;
    size_t step, type_len, body_len, head_len;
    int fd;

    if (world.http == NULL)
        begin();
    if (size < 2 || size > 65536)
        return 0;
    step = data[0] < 'a' ? sizeof(text) : (size_t)1 + 37 * (data[0] % 26u);
    world.slow = data[0] % 2 == 0;
    line = memchr(data + 1, '\n', size - 1);
    type_len = line != NULL ? (size_t)(line - data) - 1 : 0;
    if (line == NULL || type_len > 200)
        return 0;
    body_len = size - type_len - 2;
    /* A small step sends a small part, or it takes for ever. */
    if (body_len > 400 * step)
        body_len = 400 * step;
    head_len = (size_t)snprintf(text, sizeof(text),
                                "POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                "Content-Length: %zu\r\nContent-Type: ",
                                body_len);
    memcpy(text + head_len, data + 1, type_len);
    head_len += type_len;
    memcpy(text + head_len, "\r\n\r\n", 4);
    head_len += 4;
    memcpy(text + head_len, line + 1, body_len);

    world.announced = world.asked = world.ended = 0;
    world.file_bytes = 0;
    world.sent = body_len;
    fd = join();
    talk(fd, text, head_len + body_len, step);
    close(fd);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    assert(world.announced <= 1 && world.ended == world.announced);
    assert(world.asked <= world.announced);
    return 0;
}
