/* SPDX-License-Identifier: MIT
 *
 * Heads that libmicrohttpd would take: each is refused with 400 and the connection closed, in one
 * piece and byte by byte, and no honest head ever is.
 */
#include "tests/unit/server/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;
static struct answer answer;

static int start(void **state)
{
    (void)state;
    fixture_init(&fixture);
    fixture_start(&fixture);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

struct raw {
    const char *text;
    size_t len;
};
#define RAW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void ask_slowly(const struct raw *raw)
{
    int fd = client_connect(fixture.port);

    for (size_t i = 0; i < raw->len; i++)
        client_send(fd, raw->text + i, 1);
    client_read(fd, &answer);
    answer.closed = client_is_closed(fd, answer.status == 200 ? 0 : 1000);
    close(fd);
}

static void expect_refused(const struct raw *list, size_t count, int status)
{
    int before = atomic_load(&fixture.requests);

    for (size_t i = 0; i < count; i++) {
        client_ask_bytes(fixture.port, list[i].text, list[i].len, &answer);
        if (answer.status != status || !answer.closed)
            fail_msg("case %zu: %d, closed %d: %s", i, answer.status, answer.closed, list[i].text);
        ask_slowly(&list[i]);
        if (answer.status != status || !answer.closed)
            fail_msg("case %zu, byte by byte: %d, closed %d", i, answer.status, answer.closed);
    }
    assert_int_equal(atomic_load(&fixture.requests), before);
}

static void expect_taken(const struct raw *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        client_ask_bytes(fixture.port, list[i].text, list[i].len, &answer);
        if (answer.status != 200)
            fail_msg("case %zu: %d: %s", i, answer.status, list[i].text);
        ask_slowly(&list[i]);
        if (answer.status != 200)
            fail_msg("case %zu, byte by byte: %d", i, answer.status);
    }
}

#define COUNT(list) (sizeof(list) / sizeof(*(list)))
#define GET         "GET /hello HTTP/1.1\r\n"
#define END         "\r\n\r\n"

static void honest_heads_are_taken(void **state)
{
    static const struct raw good[] = {
        RAW(GET "Host: a" END),
        RAW(GET "Host:a" END),
        RAW(GET "Host:\t a\r\nX: b" END),
        RAW(GET "Host: a\r\nX:" END),
        RAW(GET "Host: a\r\nX: \r\nY:  \r\nZ:" END),
        RAW(GET "X:\r\nHost: a" END),
        RAW(GET "Host: a\r\nX: b \r\nY: c\t" END),
        RAW(GET "Host: a\r\nX: b:c: d" END),
        RAW(GET "Host: a\nX: b\n\n"),
        RAW(GET "Host: a\r\nX: b\n\r\n"),
        RAW(GET "Host: a\nX: b\r\n\n"),
        RAW("GET /hello HTTP/1.1\nHost: a\n\n"),
        RAW("\r\n\r\n" GET "Host: a" END),
        RAW("GET /hello HTTP/1.0" END),
        RAW("GET /hello HTTP/1.0\n\n"),
        RAW("GET /hello HTTP/1.0\r\nX: y" END),
        RAW("GET /hello?a=b&c=d+e%20f HTTP/1.1\r\nHost: a\r\nCookie: a=b; c=d; e\r\nX: y" END),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3" END "abc"),
    };

    (void)state;
    expect_taken(good, COUNT(good));
}

static void folded_headers_are_refused(void **state)
{
    static const struct raw bad[] = {
        RAW(GET "Host: a\r\n b" END),
        RAW(GET "Host: a\r\n\tb" END),
        RAW(GET "Host: a\r\n  \t b" END),
        RAW(GET "Host: a\r\n b\r\nX: c" END),
        RAW(GET "X: a\r\n b\r\nHost: c" END),
        RAW(GET "X:\r\n b\r\nHost: c" END),
        RAW(GET "X: \r\n b\r\nHost: c" END),
        RAW(GET "X:\r\n \r\nHost: c" END),
        RAW(GET "Host: c\r\nX:\r\n " END),
        RAW(GET "Host: c\r\nX: y\r\n " END),
        RAW(GET "Host: c\r\nX: y\r\n\t" END),
        RAW(GET "Host: c\r\nX: y\r\n z\r\n w\r\nY: v" END),
        RAW(GET "Host: c\nX: y\n z\n\n"),
        RAW(GET "Host: c\nX: y\n \n\n"),
        RAW(GET "Host: a\r\nAuthorization: Bearer x\r\n y" END),
        RAW(GET "H:   a\r\n ost" END),
        RAW(GET " Host: a" END),
        RAW("GET /hello HTTP/1.1\r\n\tHost: a" END),
    };

    (void)state;
    expect_refused(bad, COUNT(bad), 400);
}

/* Glueing happens in place when the name ends where the read buffer does: every position around its
 * ends is tried. */
static void folded_headers_are_refused_wherever_they_lie(void **state)
{
    static char text[6000];

    (void)state;
    for (size_t pad = 4000; pad < 4120; pad++) {
        size_t len = (size_t)snprintf(text, sizeof(text), GET "Host: a\r\nP: ");

        memset(text + len, 'p', pad);
        len += pad;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\nA:  v\r\n bc\r\n\r\n");
        client_ask_bytes(fixture.port, text, len, &answer);
        if (answer.status != 400 || !answer.closed)
            fail_msg("pad %zu: %d", pad, answer.status);
    }
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void honest_heads_are_taken_wherever_they_end(void **state)
{
    static char text[8000];

    (void)state;
    for (size_t pad = 3980; pad < 6800; pad += pad < 4150 ? 1 : 97) {
        size_t len = (size_t)snprintf(text, sizeof(text), GET "Host: a\r\nP: ");
        int fd = client_connect(fixture.port);

        memset(text + len, 'p', pad);
        len += pad;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\nA:  v\r\nB:\r\n\r\n");
        /* In two pieces, so that the buffer grows between them. */
        client_send(fd, text, len / 2);
        client_send(fd, text + len / 2, len - len / 2);
        client_read(fd, &answer);
        close(fd);
        if (answer.status != 200)
            fail_msg("pad %zu: %d", pad, answer.status);
    }
}

static void nuls_and_control_characters_are_refused(void **state)
{
    static const struct raw bad[] = {
        RAW(GET "Host: a\r\nX: y\0z" END),
        RAW(GET "Host: a\0b\r\nX: y" END),
        RAW(GET "Host: a\r\nX: \0" END),
        RAW(GET "Host: a\r\nX: y\0" END),
        RAW(GET "Host: a\r\nAuthorization: Bearer x\0\r\nX: y" END),
        RAW(GET "Host: a\r\nX\0: y" END),
        RAW(GET "Host: a\r\n\0X: y" END),
        RAW(GET "Host: a\r\nX: y\x01" END),
        RAW(GET "Host: a\r\nX: y\rz" END),
        RAW(GET "Host: a\r\nX: y\x7f" END),
        RAW("GET /hello\0x HTTP/1.1\r\nHost: a" END),
        RAW("GET /hello?\0 HTTP/1.1\r\nHost: a" END),
        RAW("GE\0T /hello HTTP/1.1\r\nHost: a" END),
        RAW("GET  /hello HTTP/1.1\r\nHost: a" END),
        RAW("GET /hello  HTTP/1.1\r\nHost: a" END),
        RAW("GET /he llo HTTP/1.1\r\nHost: a" END),
        RAW("GET\t/hello HTTP/1.1\r\nHost: a" END),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        client_ask_bytes(fixture.port, bad[i].text, bad[i].len, &answer);
        /* What libmicrohttpd itself can't read it may also close without a word. */
        if ((answer.status != 400 && answer.status != 0) || !answer.closed)
            fail_msg("case %zu: %d, closed %d: %s", i, answer.status, answer.closed, bad[i].text);
    }
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void heads_that_smuggle_are_refused(void **state)
{
    static const struct raw bad[] = {
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5" END
            "abcde"),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0" END
            "abcde"),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked" END
            "0\r\n\r\n"),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length : 30" END
            "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length\t: 3" END "abc"),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip" END),
        RAW("POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            "Transfer-Encoding: chunked" END "0\r\n\r\n"),
        RAW("POST /hello HTTP/1.0\r\nTransfer-Encoding: chunked" END "0\r\n\r\n"),
        RAW(GET "Host: a\r\nHost: a" END),
        RAW(GET "Host: a\r\nAuthorization: x\r\nAuthorization: y" END),
        RAW(GET "X: y" END),
        RAW("GET /hello HTTP/1.1" END),
        RAW(GET "Host: a\r\nX(y: z" END),
        RAW(GET "Host: a\r\n: z" END),
        RAW(GET "Host: a\r\nno colon" END),
    };

    (void)state;
    expect_refused(bad, COUNT(bad), 400);
}

/* libmicrohttpd reads the length before it calls us, and sends the head of its refusal twice. */
static void lengths_that_are_no_number_are_refused(void **state)
{
    static const char *const bad[] = {"+3", "-3", "3,3", "0x3", "", "99999999999999999999"};
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        int fd = client_connect(fixture.port);

        snprintf(text, sizeof(text),
                 "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\nabc", bad[i]);
        client_text(fd, text);
        client_read(fd, &answer);
        assert_in_set(answer.status, ((const unsigned long[]){400, 413}), 2);
        while (recv(fd, text, sizeof(text), 0) > 0)
            continue;
        assert_true(client_is_closed(fd, 0));
        close(fd);
    }
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void addresses_that_climb_are_refused(void **state)
{
    static const char *const bad[] = {
        "/../hello",     "/hello/..",      "/%2e%2e/hello", "/.%2e/hello", "/%252e%252e/hello",
        "/hello%2f..",   "/..%5chello",    "/hello\\",      "/hello%00",   "/hello%0a",
        "/hello?q=../x", "/hello?q=%00",   "hello",         "/hello#x",    "/hello%zz",
        "/\xc3\xa4",     "http://a/hello", "/hello%ff",
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", bad[i]);
        client_ask(fixture.port, text, &answer);
        if (answer.status != 400 || !answer.closed)
            fail_msg("%s: %d, closed %d", bad[i], answer.status, answer.closed);
    }
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void nothing_after_a_refusal_is_read(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n" GET "Host: a\r\n\r\n");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 400);
    client_read(fd, &answer);
    assert_int_equal(answer.status, 0);
    assert_int_equal(atomic_load(&fixture.requests), 0);
    close(fd);
}

static void unknown_methods_are_405_with_allow(void **state)
{
    static const char *const methods[] = {"TRACE", "CONNECT", "BREW", "get"};
    char text[100];

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        snprintf(text, sizeof(text), "%s /hello HTTP/1.1\r\nHost: a\r\n\r\n", methods[i]);
        client_ask(fixture.port, text, &answer);
        assert_int_equal(answer.status, 405);
        assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, POST\r\n"));
        assert_true(answer.closed);
    }
}

static void a_head_over_the_limit_is_431(void **state)
{
    static char text[20000];
    size_t len;

    (void)state;
    len = (size_t)snprintf(text, sizeof(text), GET "Host: a\r\nX: ");
    memset(text + len, 'x', 9000);
    len += 9000;
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n\r\n");
    client_ask_bytes(fixture.port, text, len, &answer);
    assert_int_equal(answer.status, 431);
    assert_true(answer.closed);

    len = (size_t)snprintf(text, sizeof(text), GET "Host: a\r\n");
    for (int i = 0; i < 150; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X%d:\r\n", i);
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
    client_ask_bytes(fixture.port, text, len, &answer);
    assert_int_equal(answer.status, 431);
    assert_true(answer.closed);
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void other_versions_are_refused(void **state)
{
    static const char *const versions[] = {"HTTP/1.2",  "HTTP/2.0", "HTTP/0.9",
                                           "HTTP/1.10", "http/1.1", ""};
    char text[100];

    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        snprintf(text, sizeof(text), "GET /hello %s\r\nHost: a\r\n\r\n", versions[i]);
        client_ask(fixture.port, text, &answer);
        assert_true(answer.status != 200);
        assert_true(answer.closed);
    }
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

#define live(test) cmocka_unit_test_setup_teardown(test, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        live(honest_heads_are_taken),
        live(folded_headers_are_refused),
        live(folded_headers_are_refused_wherever_they_lie),
        live(honest_heads_are_taken_wherever_they_end),
        live(nuls_and_control_characters_are_refused),
        live(heads_that_smuggle_are_refused),
        live(lengths_that_are_no_number_are_refused),
        live(addresses_that_climb_are_refused),
        live(nothing_after_a_refusal_is_read),
        live(unknown_methods_are_405_with_allow),
        live(a_head_over_the_limit_is_431),
        live(other_versions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
