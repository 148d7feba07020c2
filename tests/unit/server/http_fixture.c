/* SPDX-License-Identifier: MIT */
#include "tests/unit/server/http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/buf.h"

struct call {
    struct fixture *fixture;
    struct http_request *request;
    struct call *next;
    uv_timer_t timer;
    bool timer_used, over, held, piece_held;
    struct buf file;
};

static const char file_text[] = "0123456789";

static void drop_call(struct call *call)
{
    buf_free(&call->file);
    free(call);
}

static void on_timer_closed(uv_handle_t *handle)
{
    drop_call(handle->data);
}

static void on_later(uv_timer_t *timer)
{
    struct call *call = timer->data;

    if (!call->over)
        http_reply_text(call->request, 200, "later");
}

static void on_piece_later(uv_timer_t *timer)
{
    struct call *call = timer->data;

    if (call->over)
        return;
    atomic_fetch_sub(&call->fixture->pieces_out, 1);
    http_piece_done(call->request, ERR_OK);
}

static void in_a_while(struct call *call, uint64_t ms, uv_timer_cb fn)
{
    if (!call->timer_used) {
        uv_timer_init(&call->fixture->loop, &call->timer);
        call->timer.data = call;
        call->timer_used = true;
    }
    uv_timer_start(&call->timer, fn, ms, 0);
}

static bool path_is(const struct http_request *request, const char *path)
{
    return strcmp(http_request_path(request), path) == 0;
}

static enum http_body on_headers(void *owner, struct http_request *request)
{
    struct fixture *fixture = owner;
    struct call *call = calloc(1, sizeof(*call));

    call->fixture = fixture;
    call->request = request;
    call->next = fixture->calls;
    fixture->calls = call;
    http_request_set_data(request, call);
    buf_init(&call->file, 1 << 20);
    if (path_is(request, "/refuse"))
        http_reply_text(request, 401, "no\n");
    if (path_is(request, "/upload"))
        return HTTP_BODY_FORM_FILE;
    if (path_is(request, "/echo") || path_is(request, "/form"))
        return HTTP_BODY_COLLECT;
    return HTTP_BODY_NONE;
}

static void reply_copy(struct http_request *request, const char *text, size_t len)
{
    struct http_reply reply = HTTP_REPLY_INIT;

    reply.body = text;
    reply.len = len;
    http_reply(request, &reply);
}

static void reply_file(struct http_request *request)
{
    struct http_reply reply = HTTP_REPLY_INIT;
    char path[] = "/tmp/http_fixture_XXXXXX";
    const struct http_header headers[] = {{"X-Kind", "file"}, {NULL, NULL}};

    reply.fd = mkstemp(path);
    unlink(path);
    if (write(reply.fd, file_text, sizeof(file_text) - 1) != (ssize_t)sizeof(file_text) - 1)
        abort();
    lseek(reply.fd, 0, SEEK_SET);
    reply.fd_size = sizeof(file_text) - 1;
    reply.type = "image/png";
    reply.headers = headers;
    http_reply(request, &reply);
}

/* "RESULT LENGTH TEXT FIELD", the text cut at 40 bytes, FIELD the form's field "note". */
static void reply_upload(struct call *call)
{
    const char *note = http_request_form(call->request, "note");
    char text[200];
    int len = snprintf(text, sizeof(text), "%s %zu %.40s %s",
                       err_name(http_request_file_result(call->request)), call->file.len,
                       call->file.data != NULL ? call->file.data : "", note != NULL ? note : "-");

    reply_copy(call->request, text, (size_t)len);
}

static void reply_value(struct http_request *request, const char *value)
{
    if (value == NULL)
        http_reply_text(request, 404, "none\n");
    else
        reply_copy(request, value, strlen(value));
}

static void on_request(void *owner, struct http_request *request)
{
    struct fixture *fixture = owner;
    struct call *call = http_request_data(request);
    const char *name = http_request_query(request, "name");
    char text[200];
    size_t len;

    atomic_fetch_add(&fixture->requests, 1);
    if (path_is(request, "/hello")) {
        http_reply_text(request, 200, "hello");
    } else if (path_is(request, "/echo")) {
        const void *body = http_request_body(request, &len);

        reply_copy(request, body, len);
    } else if (path_is(request, "/later")) {
        in_a_while(call, 20, on_later);
    } else if (path_is(request, "/hold")) {
        call->held = true;
        atomic_fetch_add(&fixture->held, 1);
    } else if (path_is(request, "/form")) {
        reply_value(request, http_request_form(request, name != NULL ? name : ""));
    } else if (path_is(request, "/query")) {
        reply_value(request, http_request_query(request, "q"));
    } else if (path_is(request, "/cookie")) {
        reply_value(request, http_request_cookie(request, "c"));
    } else if (path_is(request, "/upload")) {
        reply_upload(call);
    } else if (path_is(request, "/file")) {
        reply_file(request);
    } else if (path_is(request, "/peer")) {
        len = (size_t)snprintf(text, sizeof(text), "%s %s", http_request_peer(request),
                               http_request_local(request));
        reply_copy(request, text, len);
    } else {
        http_reply_text(request, 404, "not here\n");
    }
}

static void on_file_piece(void *owner, struct http_request *request, const void *bytes, size_t len)
{
    struct fixture *fixture = owner;
    struct call *call = http_request_data(request);
    const char *mode = http_request_query(request, "mode");
    int out = atomic_fetch_add(&fixture->pieces_out, 1) + 1;

    if (out > atomic_load(&fixture->most_pieces_out))
        atomic_store(&fixture->most_pieces_out, out);
    atomic_fetch_add(&fixture->pieces, 1);
    buf_add(&call->file, bytes, len);
    if (mode != NULL && strcmp(mode, "full") == 0) {
        atomic_fetch_sub(&fixture->pieces_out, 1);
        http_piece_done(request, ERR_DISK_FULL);
    } else if (mode != NULL && strcmp(mode, "reply") == 0) {
        atomic_fetch_sub(&fixture->pieces_out, 1);
        http_reply_text(request, 507, "full\n");
    } else if (atomic_load(&fixture->hold_pieces)) {
        call->piece_held = true;
    } else if (mode != NULL && strcmp(mode, "later") == 0) {
        in_a_while(call, 1, on_piece_later);
    } else {
        atomic_fetch_sub(&fixture->pieces_out, 1);
        http_piece_done(request, ERR_OK);
    }
}

static void on_end(void *owner, struct http_request *request)
{
    struct fixture *fixture = owner;
    struct call *call = http_request_data(request), **link = &fixture->calls;

    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->over = true;
    if (call->timer_used)
        uv_close((uv_handle_t *)&call->timer, on_timer_closed);
    else
        drop_call(call);
    atomic_fetch_add(&fixture->ended, 1);
}

static bool on_wake(void *owner)
{
    atomic_fetch_add(&((struct fixture *)owner)->wakes, 1);
    return true;
}

static void on_settle(void *owner)
{
    atomic_fetch_add(&((struct fixture *)owner)->settles, 1);
}

static void on_release(uv_async_t *handle)
{
    struct fixture *fixture = handle->data;

    atomic_store(&fixture->hold_pieces, false);
    for (struct call *call = fixture->calls; call != NULL; call = call->next) {
        if (call->held)
            http_reply_text(call->request, 200, "released");
        call->held = false;
        if (call->piece_held) {
            atomic_fetch_sub(&fixture->pieces_out, 1);
            http_piece_done(call->request, ERR_OK);
        }
        call->piece_held = false;
    }
}

static void on_http_closed(void *owner)
{
    struct fixture *fixture = owner;

    uv_close((uv_handle_t *)&fixture->stop, NULL);
    uv_close((uv_handle_t *)&fixture->release, NULL);
}

static void on_stop(uv_async_t *handle)
{
    struct fixture *fixture = handle->data;

    http_close(fixture->http, on_http_closed, fixture);
}

static void serve(void *arg)
{
    uv_run(&((struct fixture *)arg)->loop, UV_RUN_DEFAULT);
}

void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->options = (struct http_options){.loop = &fixture->loop,
                                             .listen = "127.0.0.1",
                                             .max_upload_bytes = 1 << 20,
                                             .owner = fixture,
                                             .on_headers = on_headers,
                                             .on_request = on_request,
                                             .on_file_piece = on_file_piece,
                                             .on_end = on_end,
                                             .wake = on_wake,
                                             .settle = on_settle};
}

void fixture_start(struct fixture *fixture)
{
    struct cause cause = {""};

    signal(SIGPIPE, SIG_IGN); /* as the server does: sendfile has no other way */
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    uv_async_init(&fixture->loop, &fixture->stop, on_stop);
    uv_async_init(&fixture->loop, &fixture->release, on_release);
    fixture->stop.data = fixture->release.data = fixture;
    assert_int_equal(http_new(&fixture->options, &fixture->http, &cause), ERR_OK);
    assert_int_equal(http_start(fixture->http, &cause), ERR_OK);
    fixture->port = http_port(fixture->http);
    assert_int_equal(uv_thread_create(&fixture->thread, serve, fixture), 0);
}

void fixture_release(struct fixture *fixture)
{
    uv_async_send(&fixture->release);
}

void fixture_stop(struct fixture *fixture)
{
    uv_async_send(&fixture->stop);
    uv_thread_join(&fixture->thread);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_null(fixture->calls);
}

void fixture_await(const atomic_int *value, int least)
{
    for (int i = 0; i < 2000; i++) {
        if (atomic_load(value) >= least)
            return;
        poll(NULL, 0, 5);
    }
    fail_msg("waited for %d, it is %d", least, atomic_load(value));
}

int client_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* A server that refuses may close before all is sent: that shows in what is read. */
void client_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        at += sent;
        len -= (size_t)sent;
    }
}

void client_text(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

static void read_answer(int fd, struct answer *answer, bool head_only)
{
    size_t used = 0;
    const char *length;

    answer->status = 0;
    answer->len = 0;
    answer->closed = false;
    answer->head[0] = answer->body[0] = '\0';
    while (used < 4 || memcmp(answer->head + used - 4, "\r\n\r\n", 4) != 0) {
        if (used + 1 >= sizeof(answer->head) || recv(fd, answer->head + used, 1, 0) != 1)
            return;
        answer->head[++used] = '\0';
    }
    if (strncmp(answer->head, "HTTP/1.", 7) == 0)
        answer->status = (int)strtol(answer->head + 9, NULL, 10);
    length = strcasestr(answer->head, "\r\nContent-Length: ");
    if (length != NULL && !head_only) {
        size_t want = strtoul(length + 18, NULL, 10);

        assert_true(want < sizeof(answer->body));
        while (answer->len < want) {
            ssize_t got = recv(fd, answer->body + answer->len, want - answer->len, 0);

            if (got <= 0)
                break;
            answer->len += (size_t)got;
        }
        answer->body[answer->len] = '\0';
    }
}

void client_read(int fd, struct answer *answer)
{
    read_answer(fd, answer, false);
}

void client_read_head(int fd, struct answer *answer)
{
    read_answer(fd, answer, true);
}

bool client_is_closed(int fd, int ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&wait, 1, ms) == 1 && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

void client_ask_bytes(int port, const void *bytes, size_t len, struct answer *answer)
{
    int fd = client_connect(port);

    client_send(fd, bytes, len);
    client_read(fd, answer);
    answer->closed = client_is_closed(fd, answer->status >= 400 || answer->status == 0 ? 1000 : 20);
    close(fd);
}

void client_ask(int port, const char *text, struct answer *answer)
{
    client_ask_bytes(port, text, strlen(text), answer);
}
