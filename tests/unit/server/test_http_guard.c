/* SPDX-License-Identifier: MIT
 *
 * What the guard lets through and what it refuses, one line a case.
 */
#include "server/http_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX 110

/* `headers` is "Name: value" lines separated by newlines; "Name:!value" is a folded one. */
static enum err guard(const char *method, const char *uri, size_t uri_len, const char *version,
                      const char *headers)
{
    static struct guard_header list[MAX + 20];
    struct guard_input input = {.method = method,
                                .version = version,
                                .raw_uri = uri,
                                .raw_uri_len = uri_len,
                                .headers = list};
    const char *why = NULL;
    enum err err;

    while (*headers != '\0') {
        size_t len = strcspn(headers, "\n");
        const char *colon = memchr(headers, ':', len);
        struct guard_header *header = &list[input.header_count++];

        assert_non_null(colon);
        header->name = headers;
        header->name_len = (size_t)(colon - headers);
        header->glued = colon[1] == '!';
        header->value = colon + 1 + (colon[1] == ' ' || colon[1] == '!' ? 1 : 0);
        header->value_len = (size_t)(headers + len - header->value);
        headers += len + (headers[len] == '\n' ? 1 : 0);
    }
    err = http_guard(&input, &why);
    assert_non_null(why);
    assert_int_equal(err == ERR_OK, why[0] == '\0');
    return err;
}

static enum err guard_uri(const char *uri)
{
    return guard("GET", uri, strlen(uri), "HTTP/1.1", "Host: a");
}

static enum err guard_headers(const char *headers)
{
    return guard("POST", "/lock", 5, "HTTP/1.1", headers);
}

static void ordinary_requests_pass(void **state)
{
    (void)state;
    assert_int_equal(guard_headers("Host: 127.0.0.1:5000"), ERR_OK);
    assert_int_equal(guard_headers("Host: [::1]:5000\nContent-Length: 0"), ERR_OK);
    assert_int_equal(guard_headers("host: door.example\ntransfer-encoding: Chunked"), ERR_OK);
    assert_int_equal(guard_headers("Host: a\nX-Empty:\nAccept: a\nAccept: b\nCookie: c=1; d=2"),
                     ERR_OK);
    assert_int_equal(guard("GET", "/", 1, "HTTP/1.0", ""), ERR_OK);
    assert_int_equal(guard("OPTIONS", "*", 1, "HTTP/1.1", "Host: a"), ERR_OK);
}

static void addresses_as_the_phones_send_them_pass(void **state)
{
    static const char *const good[] = {
        "/",
        "/hello",
        "/lock?device=d1",
        "/get_pic?pic_name=1.jpg&topic=t&time=2020-07-31%2011%3A03%3A20.123456",
        "/upload?pic_name=a+b&topic=%E9%97%A8&time=20200731110320",
        "/a.b/..c/c../...",
        "/x?q=100%25",
        "/x?q=a..b",
        "/x?q=%2500",
        "/x?q=a%5cb",
        "/x?",
        "//double",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(guard_uri(good[i]), ERR_OK);
}

static void addresses_that_climb_are_refused_in_any_spelling(void **state)
{
    static const char *const bad[] = {
        "/..",
        "/../etc/passwd",
        "/a/../b",
        "/a/..",
        "/%2e%2e/b",
        "/%2E./b",
        "/.%2e",
        "/%252e%252e/b",
        "/%25252e%25252e/b",
        "/%2525252525252e%2525252525252e/b",
        "/..%2fb",
        "/..%5cb",
        "/a%2f..%2fb",
        "/..;x=1/b",
        "/x?file=../y",
        "/x?file=..",
        "/x?file=%2e%2e%2fy",
        "/x?file=..%5cy",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(guard_uri(bad[i]), ERR_BAD_INPUT);
}

static void addresses_with_bytes_that_hide_something_are_refused(void **state)
{
    static const char *const bad[] = {
        "",          "hello",    "http://a/", "*",           "/a%00",    "/a%00.jpg",
        "/a%2500b",  "/x?q=%00", "/x?q=%0a",  "/a%0d%0ab",   "/a%7f",    "/a%c2%85",
        "/a\\b",     "/a%5cb",   "/a%255cb",  "/a#b",        "/a b",     "/a\tb",
        "/\xc3\xa4", "/a%ff",    "/a%c0%ae",  "/a%ed%a0%80", "/x?q=%ff", "/a%",
        "/a%4",      "/a%zz",    "/x?q=%",    "/x?q=%g1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(guard_uri(bad[i]), ERR_BAD_INPUT);
    assert_int_equal(guard("GET", "/a\0b", 4, "HTTP/1.1", "Host: a"), ERR_BAD_INPUT);
}

static void a_cut_request_line_is_refused(void **state)
{
    struct guard_header host = {.name = "Host", .name_len = 4, .value = "a", .value_len = 1};
    struct guard_input input = {.method = "GET",
                                .version = "HTTP/1.1",
                                .raw_uri = "/",
                                .raw_uri_len = 1,
                                .line_cut = true,
                                .headers = &host,
                                .header_count = 1};

    (void)state;
    assert_int_equal(http_guard(&input, NULL), ERR_BAD_INPUT);
    input.line_cut = false;
    assert_int_equal(http_guard(&input, NULL), ERR_OK);
}

static void an_address_longer_than_a_head_is_refused(void **state)
{
    static char uri[9000];

    (void)state;
    memset(uri, 'a', sizeof(uri));
    uri[0] = '/';
    assert_int_equal(guard("GET", uri, 8192, "HTTP/1.1", "Host: a"), ERR_OK);
    assert_int_equal(guard("GET", uri, 8193, "HTTP/1.1", "Host: a"), ERR_BAD_INPUT);
}

static void headers_that_change_the_framing_are_refused(void **state)
{
    static const char *const bad[] = {
        "Host: a\nContent-Length: 1\nContent-Length: 1",
        "Host: a\nContent-Length: 1\ncontent-length: 2",
        "Host: a\nContent-Length: 1\nTransfer-Encoding: chunked",
        "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Host: a\nTransfer-Encoding: gzip, chunked",
        "Host: a\nTransfer-Encoding: identity",
        "Host: a\nTransfer-Encoding:",
        "Host: a\nContent-Length : 5",
        "Host: a\nContent-Length: +5",
        "Host: a\nContent-Length: -5",
        "Host: a\nContent-Length: 5,5",
        "Host: a\nContent-Length: 0x5",
        "Host: a\nContent-Length:",
        "Host: a\nContent-Length: 9999999999999999999",
        "Host: a\nX:!folded",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(guard_headers(bad[i]), ERR_BAD_INPUT);
    assert_int_equal(guard("POST", "/", 1, "HTTP/1.0", "Transfer-Encoding: chunked"),
                     ERR_BAD_INPUT);
}

static void headers_that_must_be_single_are_refused_when_doubled(void **state)
{
    static const char *const names[] = {"Authorization", "Content-Type", "Origin", "Referer",
                                        "Sec-Fetch-Site"};
    char text[200];

    (void)state;
    assert_int_equal(guard_headers("Host: a\nHost: a"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nhOST: b"), ERR_BAD_INPUT);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(text, sizeof(text), "Host: a\n%s: x", names[i]);
        assert_int_equal(guard_headers(text), ERR_OK);
        snprintf(text, sizeof(text), "Host: a\n%s: x\n%s: x", names[i], names[i]);
        assert_int_equal(guard_headers(text), ERR_BAD_INPUT);
    }
}

static void a_host_must_be_there_and_be_a_host(void **state)
{
    (void)state;
    assert_int_equal(guard_headers(""), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host:"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a b"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: user@a"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a/b"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a,b"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: \xc3\xa4"), ERR_BAD_INPUT);
}

static void names_and_values_hold_only_what_they_may(void **state)
{
    (void)state;
    assert_int_equal(guard_headers("Host: a\nX Y: z"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\n: z"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX\xc3\xa4: z"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX(y): z"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX: z\x01"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX: z\r"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX: z\x7f"), ERR_BAD_INPUT);
    assert_int_equal(guard_headers("Host: a\nX: y\tz"), ERR_OK);
    assert_int_equal(guard_headers("Host: a\nUser-Agent: t\xc3\xbcr"), ERR_OK);
}

static void unknown_methods_and_versions_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(guard("TRACE", "/", 1, "HTTP/1.1", "Host: a"), ERR_METHOD);
    assert_int_equal(guard("get", "/", 1, "HTTP/1.1", "Host: a"), ERR_METHOD);
    assert_int_equal(guard("BREW", "/..", 3, "HTTP/1.1", "Host: a"), ERR_BAD_INPUT);
    assert_int_equal(guard("G(T", "/", 1, "HTTP/1.1", "Host: a"), ERR_BAD_INPUT);
    assert_int_equal(guard("", "/", 1, "HTTP/1.1", "Host: a"), ERR_BAD_INPUT);
    assert_int_equal(guard("AVERYLONGMETHODNAMEINDEED", "/", 1, "HTTP/1.1", "Host: a"),
                     ERR_BAD_INPUT);
    assert_int_equal(guard("GET", "/", 1, "HTTP/1.2", "Host: a"), ERR_BAD_INPUT);
    assert_int_equal(guard("GET", "/", 1, "HTTP/2.0", "Host: a"), ERR_BAD_INPUT);
    assert_int_equal(guard("GET", "/", 1, "", "Host: a"), ERR_BAD_INPUT);
}

static void too_many_headers_are_refused_as_too_large(void **state)
{
    static char text[MAX * 8];
    size_t used = (size_t)snprintf(text, sizeof(text), "Host: a");

    (void)state;
    for (int i = 1; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "\nX: y");
    assert_int_equal(guard_headers(text), ERR_OK);
    snprintf(text + used, sizeof(text) - used, "\nX: y");
    assert_int_equal(guard_headers(text), ERR_HEADERS_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_requests_pass),
        cmocka_unit_test(addresses_as_the_phones_send_them_pass),
        cmocka_unit_test(addresses_that_climb_are_refused_in_any_spelling),
        cmocka_unit_test(addresses_with_bytes_that_hide_something_are_refused),
        cmocka_unit_test(a_cut_request_line_is_refused),
        cmocka_unit_test(an_address_longer_than_a_head_is_refused),
        cmocka_unit_test(headers_that_change_the_framing_are_refused),
        cmocka_unit_test(headers_that_must_be_single_are_refused_when_doubled),
        cmocka_unit_test(a_host_must_be_there_and_be_a_host),
        cmocka_unit_test(names_and_values_hold_only_what_they_may),
        cmocka_unit_test(unknown_methods_and_versions_are_told_apart),
        cmocka_unit_test(too_many_headers_are_refused_as_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
