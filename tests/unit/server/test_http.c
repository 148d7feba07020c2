/* SPDX-License-Identifier: MIT
 *
 * The adapter over real sockets: answers now and later, keeping connections and ending them.
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

#define HOST "Host: 127.0.0.1\r\n"
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

static void ask(const char *text)
{
    client_ask(fixture.port, text, &answer);
}

static void get_is_answered_and_the_connection_kept(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    for (int i = 0; i < 3; i++) {
        client_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
        client_read(fd, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "hello");
        assert_non_null(strstr(answer.head, "Content-Type: text/plain; charset=utf-8\r\n"));
    }
    assert_false(client_is_closed(fd, 20));
    close(fd);
    assert_true(atomic_load(&fixture.wakes) > 0);
    assert_true(atomic_load(&fixture.settles) > 0);
}

static void head_is_the_same_without_a_body(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
    client_read_head(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "Content-Length: 5\r\n"));
    client_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "hello");
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n"
                    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                    "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "later");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "abc");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "hello");
    close(fd);
}

static void a_later_reply_arrives_without_other_traffic(void **state)
{
    (void)state;
    ask("GET /later HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "later");
    assert_false(answer.closed);
}

static void a_client_that_leaves_while_it_waits_does_no_harm(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    fixture_await(&fixture.held, 1);
    close(fd);
    ask("GET /hello HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 200);
    fixture_release(&fixture);
    fixture_await(&fixture.ended, 2);
}

static void bodies_are_collected(void **state)
{
    static char text[70000];
    int len = snprintf(text, sizeof(text),
                       "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n");

    (void)state;
    memset(text + len, 'b', 65536);
    client_ask_bytes(fixture.port, text, (size_t)len + 65536, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, 65536);
    assert_false(answer.closed);
    ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, 0);
    ask("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: z\r\n\r\n");
    assert_string_equal(answer.body, "abcdefg");
    assert_false(answer.closed);
}

static void a_declared_length_over_the_limit_is_refused_before_the_body(void **state)
{
    (void)state;
    ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n");
    assert_int_equal(answer.status, 413);
    assert_true(answer.closed);
    ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n"
        "Expect: 100-continue\r\n\r\n");
    assert_int_equal(answer.status, 413);
    assert_true(answer.closed);
    assert_int_equal(atomic_load(&fixture.requests), 0);
    fixture_await(&fixture.ended, 2);
}

static void a_chunked_body_over_the_limit_is_refused(void **state)
{
    static char chunk[4096];
    int fd = client_connect(fixture.port);

    (void)state;
    memset(chunk, 'c', sizeof(chunk));
    client_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        client_text(fd, "1000\r\n");
        client_send(fd, chunk, sizeof(chunk));
        client_text(fd, "\r\n");
    }
    client_text(fd, "0\r\n\r\n");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 413);
    assert_true(client_is_closed(fd, 1000));
    close(fd);
    assert_int_equal(atomic_load(&fixture.requests), 0);
}

static void an_endless_chunked_body_is_cut(void **state)
{
    static char chunk[4096];
    int fd = client_connect(fixture.port);

    (void)state;
    memset(chunk, 'c', sizeof(chunk));
    client_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2000 && !client_is_closed(fd, 0); i++) {
        client_text(fd, "1000\r\n");
        client_send(fd, chunk, sizeof(chunk));
        client_text(fd, "\r\n");
    }
    assert_true(client_is_closed(fd, 5000));
    close(fd);
}

static void a_client_may_ask_before_it_sends(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n"
                    "Expect: 100-continue\r\n\r\n");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 100);
    client_text(fd, "abc");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "abc");
    close(fd);
}

static void an_early_refusal_is_heard_by_a_client_that_sends_a_small_body(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n");
    client_text(fd, "0123456789");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 401);
    client_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "hello");
    close(fd);
    ask("POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(answer.status, 401);
    assert_true(answer.closed);
    ask("GET /refuse HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 401);
    assert_false(answer.closed);
    assert_int_equal(atomic_load(&fixture.requests), 1);
}

static void files_are_sent_by_their_descriptor(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    client_text(fd, "GET /file HTTP/1.1\r\n" HOST "\r\n");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "0123456789");
    assert_non_null(strstr(answer.head, "Content-Type: image/png\r\n"));
    assert_non_null(strstr(answer.head, "X-Kind: file\r\n"));
    client_text(fd, "HEAD /file HTTP/1.1\r\n" HOST "\r\n");
    client_read_head(fd, &answer);
    assert_non_null(strstr(answer.head, "Content-Length: 10\r\n"));
    client_text(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    client_read(fd, &answer);
    assert_string_equal(answer.body, "hello");
    close(fd);
}

static void queries_cookies_and_forms_are_decoded(void **state)
{
    (void)state;
    ask("GET /query?x=1&q=a%20b+c%C3%A4 HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(answer.body, "a b c\xc3\xa4");
    ask("GET /query?q HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, 0);
    ask("GET /query HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(answer.status, 404);
    ask("GET /cookie HTTP/1.1\r\n" HOST "Cookie: b=1; c=two; d=3\r\n\r\n");
    assert_string_equal(answer.body, "two");
    ask("POST /form?name=data HTTP/1.1\r\n" HOST
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 28\r\n\r\n"
        "a=1&data=%7B%22x%22%3A+1%7D&");
    assert_string_equal(answer.body, "{\"x\": 1}");
    ask("POST /form?name=a HTTP/1.1\r\n" HOST
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1&b=%zz&");
    assert_int_equal(answer.status, 404);
    ask("POST /form?name=a HTTP/1.1\r\n" HOST
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1%00b");
    assert_int_equal(answer.status, 404);
    ask("POST /form?name=a HTTP/1.1\r\n" HOST
        "Content-Type: multipart/form-data; boundary=XY\r\nContent-Length: 65\r\n\r\n"
        "--XY\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--XY--\r\n");
    assert_string_equal(answer.body, "value");
}

static void the_peer_and_the_local_address_are_told(void **state)
{
    (void)state;
    ask("GET /peer HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(answer.body, "127.0.0.1 127.0.0.1");
}

static void old_clients_are_closed_unless_they_ask_to_stay(void **state)
{
    (void)state;
    ask("GET /hello HTTP/1.0\r\n\r\n");
    assert_int_equal(answer.status, 200);
    assert_true(answer.closed);
    ask("GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    assert_int_equal(answer.status, 200);
    assert_true(answer.closed);
}

static void a_request_that_comes_byte_by_byte_is_the_same(void **state)
{
    const char *text = "POST /echo?a=b HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Spaces:   v\r\n"
                       "Content-Length: 3\r\n\r\nabc";
    int fd = client_connect(fixture.port);

    (void)state;
    for (const char *p = text; *p != '\0'; p++)
        client_send(fd, p, 1);
    client_read(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "abc");
    close(fd);
}

static void closing_answers_who_waits(void **state)
{
    int waiting, uploading;

    (void)state;
    fixture_init(&fixture);
    atomic_store(&fixture.hold_pieces, true);
    fixture_start(&fixture);
    waiting = client_connect(fixture.port);
    client_text(waiting, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    fixture_await(&fixture.held, 1);
    uploading = client_connect(fixture.port);
    client_text(uploading, "POST /upload HTTP/1.1\r\n" HOST
                           "Content-Type: multipart/form-data; boundary=XY\r\n"
                           "Content-Length: 5000\r\n\r\n--XY\r\nContent-Disposition: form-data; "
                           "name=\"f\"; filename=\"g\"\r\n\r\n0123456789");
    client_text(uploading, "0123456789");
    fixture_await(&fixture.pieces, 1);
    fixture_stop(&fixture);
    client_read(waiting, &answer);
    assert_int_equal(answer.status, 503);
    assert_true(client_is_closed(waiting, 1000));
    assert_true(client_is_closed(uploading, 1000));
    assert_int_equal(atomic_load(&fixture.ended), 2);
    close(waiting);
    close(uploading);
}

static void a_taken_port_is_told_with_its_cure(void **state)
{
    struct http_options options = fixture.options;
    struct http *second = NULL;
    struct cause cause = {""};

    (void)state;
    options.port = fixture.port;
    assert_int_equal(http_new(&options, &second, &cause), ERR_CONFLICT);
    assert_non_null(strstr(cause.text, "is taken by another program: stop it or set http.port"));
    options.listen = "no address";
    assert_int_equal(http_new(&options, &second, &cause), ERR_BAD_INPUT);
    assert_null(second);
}

#define live(test) cmocka_unit_test_setup_teardown(test, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        live(get_is_answered_and_the_connection_kept),
        live(head_is_the_same_without_a_body),
        live(pipelined_requests_are_answered_in_order),
        live(a_later_reply_arrives_without_other_traffic),
        live(a_client_that_leaves_while_it_waits_does_no_harm),
        live(bodies_are_collected),
        live(a_declared_length_over_the_limit_is_refused_before_the_body),
        live(a_chunked_body_over_the_limit_is_refused),
        live(an_endless_chunked_body_is_cut),
        live(a_client_may_ask_before_it_sends),
        live(an_early_refusal_is_heard_by_a_client_that_sends_a_small_body),
        live(files_are_sent_by_their_descriptor),
        live(queries_cookies_and_forms_are_decoded),
        live(the_peer_and_the_local_address_are_told),
        live(old_clients_are_closed_unless_they_ask_to_stay),
        live(a_request_that_comes_byte_by_byte_is_the_same),
        cmocka_unit_test(closing_answers_who_waits),
        live(a_taken_port_is_told_with_its_cure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
