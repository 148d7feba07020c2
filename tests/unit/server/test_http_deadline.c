/* SPDX-License-Identifier: MIT
 *
 * Time and number: who is slow is ended, who comes too many waits, and a free place is given on.
 */
#include "tests/unit/server/http_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;
static struct answer answer;

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Sends `text` over and over, a byte each 20 ms, until the server has had enough; for how long. */
static double drip(const char *first, const char *text)
{
    int fd = client_connect(fixture.port);
    double from = now(), took;
    const char *at = text;

    client_text(fd, first);
    while (!client_is_closed(fd, 20) && now() < from + 10) {
        client_send(fd, at, 1);
        at = at[1] != '\0' ? at + 1 : text;
    }
    took = now() - from;
    close(fd);
    return took;
}

static void a_request_that_drips_is_ended(void **state)
{
    double took;

    (void)state;
    fixture_init(&fixture);
    fixture.options.request_s = 1;
    fixture.options.idle_s = 5;
    fixture_start(&fixture);
    took = drip("", "GET /very-long-address-that-never-ends");
    assert_true(took > 0.9 && took < 5);
    took = drip("GET /hello HTTP/1.1\r\nHost: a\r\n", "X: abcdefghijklm\r\n");
    assert_true(took > 0.9 && took < 5);
    took = drip("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", "b");
    assert_true(took > 0.9 && took < 5);
    fixture_await(&fixture.ended, 1);
    client_ask(fixture.port, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    fixture_stop(&fixture);
}

static void an_upload_has_its_own_time(void **state)
{
    double took;

    (void)state;
    fixture_init(&fixture);
    fixture.options.request_s = 1;
    fixture.options.upload_s = 3;
    fixture_start(&fixture);
    took = drip("POST /upload HTTP/1.1\r\nHost: a\r\n"
                "Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: 60000\r\n\r\n"
                "--cut\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n",
                "b");
    assert_true(took > 2.5 && took < 8);
    fixture_await(&fixture.ended, 1);
    assert_int_equal(atomic_load(&fixture.requests), 0);
    fixture_stop(&fixture);
}

static void silence_is_ended(void **state)
{
    int silent, kept;

    (void)state;
    fixture_init(&fixture);
    fixture.options.idle_s = 1;
    fixture.options.request_s = 30;
    fixture_start(&fixture);
    silent = client_connect(fixture.port);
    kept = client_connect(fixture.port);
    client_text(kept, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read(kept, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(client_is_closed(silent, 8000));
    assert_true(client_is_closed(kept, 8000));
    close(silent);
    close(kept);
    fixture_stop(&fixture);
}

static void the_owner_may_take_its_time(void **state)
{
    int fd;

    (void)state;
    fixture_init(&fixture);
    fixture.options.idle_s = fixture.options.request_s = 1;
    fixture_start(&fixture);
    fd = client_connect(fixture.port);
    client_text(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    fixture_await(&fixture.held, 1);
    assert_false(client_is_closed(fd, 2500));
    fixture_release(&fixture);
    client_read(fd, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "released");
    close(fd);
    fixture_stop(&fixture);
}

static void at_the_limit_the_next_one_waits_for_a_free_place(void **state)
{
    int full[4], next;

    (void)state;
    fixture_init(&fixture);
    fixture.options.max_connections = 4;
    fixture_start(&fixture);
    for (int i = 0; i < 4; i++) {
        full[i] = client_connect(fixture.port);
        client_text(full[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        client_read(full[i], &answer);
        assert_int_equal(answer.status, 200);
    }
    next = client_connect(fixture.port); /* by the kernel's queue */
    client_text(next, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(poll(&(struct pollfd){.fd = next, .events = POLLIN}, 1, 100), 0);
    close(full[0]);
    client_read(next, &answer);
    assert_int_equal(answer.status, 200);
    close(next);
    for (int i = 1; i < 4; i++)
        close(full[i]);
    fixture_stop(&fixture);
}

static void many_connections_at_once_are_all_served(void **state)
{
    static int fds[200];

    (void)state;
    fixture_init(&fixture);
    fixture_start(&fixture);
    for (int i = 0; i < 200; i++) {
        fds[i] = client_connect(fixture.port);
        client_text(fds[i], i % 2 == 0 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                                       : "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (int i = 0; i < 200; i++) {
        client_read(fds[i], &answer);
        assert_int_equal(answer.status, 200);
        close(fds[i]);
    }
    fixture_await(&fixture.ended, 200);
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_drips_is_ended),
        cmocka_unit_test(an_upload_has_its_own_time),
        cmocka_unit_test(silence_is_ended),
        cmocka_unit_test(the_owner_may_take_its_time),
        cmocka_unit_test(at_the_limit_the_next_one_waits_for_a_free_place),
        cmocka_unit_test(many_connections_at_once_are_all_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
