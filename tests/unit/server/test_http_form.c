/* SPDX-License-Identifier: MIT
 *
 * Uploads: what a multipart body gives, when it is broken, and that the reader never runs ahead of
 * its owner.
 */
#include "tests/unit/server/http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct fixture fixture;
static struct answer answer;
static char body[3 << 20];
static size_t body_len;

static int start(void **state)
{
    (void)state;
    fixture_init(&fixture);
    fixture_start(&fixture);
    body_len = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

static void add(const char *text)
{
    size_t len = strlen(text);

    assert_true(body_len + len <= sizeof(body));
    memcpy(body + body_len, text, len);
    body_len += len;
}

static void add_bytes(char byte, size_t len)
{
    assert_true(body_len + len <= sizeof(body));
    memset(body + body_len, byte, len);
    body_len += len;
}

#define FILE_HEAD(name)                                                                            \
    "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" name "\"\r\n"            \
    "Content-Type: image/jpeg\r\n\r\n"
#define FIELD_HEAD(name) "--cut\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define CUT              "multipart/form-data; boundary=cut"

/* Sends the head with `type`, then the body in steps of `step` bytes. */
static void upload(const char *target, const char *type, size_t step)
{
    char head[400];
    int fd = client_connect(fixture.port);

    snprintf(head, sizeof(head),
             "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
             target, type, body_len);
    client_text(fd, head);
    for (size_t at = 0; at < body_len; at += step)
        client_send(fd, body + at, body_len - at < step ? body_len - at : step);
    client_read(fd, &answer);
    close(fd);
}

static void expect(const char *text)
{
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, text);
}

static void the_first_file_part_is_handed_on(void **state)
{
    static const size_t steps[] = {1 << 20, 100, 7, 1};

    (void)state;
    add(FILE_HEAD("a.jpg") "0123456789\r\n--cut--\r\n");
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        upload("/upload", CUT, steps[i]);
        expect("OK 10 0123456789 -");
        upload("/upload?mode=later", CUT, steps[i]);
        expect("OK 10 0123456789 -");
    }
}

static void fields_beside_the_file_are_kept(void **state)
{
    (void)state;
    add(FIELD_HEAD("note") "a note\r\n" FILE_HEAD("a") "xyz\r\n" FIELD_HEAD("z") "\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 xyz a note");
    upload("/upload", CUT, 1);
    expect("OK 3 xyz a note");
}

static void a_large_or_unsound_field_is_passed_over(void **state)
{
    (void)state;
    add(FIELD_HEAD("note"));
    add_bytes('n', 1025);
    add("\r\n" FILE_HEAD("a") "xyz\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 xyz -");
    body_len = 0;
    add(FIELD_HEAD("note") "\xff\r\n" FILE_HEAD("a") "xyz\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 xyz -");
}

static void client_file_names_mean_nothing(void **state)
{
    (void)state;
    add(FILE_HEAD("../../etc/passwd") "abc\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 abc -");
    body_len = 0;
    add(FILE_HEAD("") "abc\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 abc -");
}

static void only_the_first_file_counts(void **state)
{
    (void)state;
    add(FILE_HEAD("a") "first\r\n" FILE_HEAD("b") "second\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 5 first -");
    upload("/upload", CUT, 3);
    expect("OK 5 first -");
}

static void an_empty_file_is_a_file(void **state)
{
    (void)state;
    add(FILE_HEAD("a") "\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 0  -");
    assert_int_equal(atomic_load(&fixture.pieces), 0);
}

static void a_body_without_its_end_is_told(void **state)
{
    static const char *const ends[] = {
        "", "\r\n", "\r\n--cut", "\r\n--cut\r\n", "\r\n--cux--\r\n", "\r\n--cut-\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        body_len = 0;
        add(FILE_HEAD("a") "0123456789");
        add(ends[i]);
        upload("/upload", CUT, 1 << 20);
        assert_int_equal(answer.status, 200);
        if (strncmp(answer.body, "BAD_INPUT ", 10) != 0)
            fail_msg("end %zu: %s", i, answer.body);
    }
}

static void a_body_without_a_file_is_told(void **state)
{
    (void)state;
    add(FIELD_HEAD("note") "x\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("NOT_FOUND 0  x");
    body_len = 0;
    add("just text");
    upload("/upload", "text/plain", 1 << 20);
    expect("NOT_FOUND 0  -");
    upload("/upload", "multipart/form-datax; boundary=cut", 1 << 20);
    expect("NOT_FOUND 0  -");
    body_len = 0;
    upload("/upload", CUT, 1 << 20);
    expect("NOT_FOUND 0  -");
}

static void unsound_boundaries_are_bad_input(void **state)
{
    static const char *const types[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=cut; charset=x",
        "multipart/form-data; boundary=a*b",
        "multipart/form-data; Boundary=cut",
        "multipart/form-data; boundary="
        "01234567890123456789012345678901234567890123456789012345678901234567890",
    };

    (void)state;
    add(FILE_HEAD("a") "abc\r\n--cut--\r\n");
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        upload("/upload", types[i], 1 << 20);
        expect("BAD_INPUT 0  -");
    }
    upload("/upload", "Multipart/Form-Data; boundary=\"cut\"", 1 << 20);
    expect("OK 3 abc -");
}

static void more_than_eight_parts_are_bad_input(void **state)
{
    (void)state;
    add(FILE_HEAD("a") "abc\r\n");
    for (int i = 0; i < 7; i++)
        add(FIELD_HEAD("n") "x\r\n");
    add("--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("OK 3 abc -");
    body_len -= strlen("--cut--\r\n");
    add(FIELD_HEAD("n") "x\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strncmp(answer.body, "BAD_INPUT ", 10), 0);
}

static void part_headers_longer_than_a_line_are_bad_input(void **state)
{
    (void)state;
    add("--cut\r\nContent-Disposition: form-data; name=\"");
    add_bytes('n', 2000);
    add("\"; filename=\"a\"\r\n\r\nabc\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    expect("BAD_INPUT 0  -");
}

static void a_large_file_comes_whole_and_in_small_pieces(void **state)
{
    char want[80];

    (void)state;
    add(FILE_HEAD("a"));
    add_bytes('z', 1000000);
    add("\r\n--cut--\r\n");
    upload("/upload?mode=later", CUT, 1 << 20);
    memset(want, 0, sizeof(want));
    snprintf(want, sizeof(want), "OK 1000000 %.40s -", body + 200);
    expect(want);
    assert_true(atomic_load(&fixture.pieces) > 50);
    assert_int_equal(atomic_load(&fixture.most_pieces_out), 1);
}

static void a_chunked_upload_waits_for_its_owner_too(void **state)
{
    int fd = client_connect(fixture.port);
    char want[80];

    (void)state;
    client_text(fd, "POST /upload?mode=later HTTP/1.1\r\nHost: a\r\nContent-Type: " CUT
                    "\r\nTransfer-Encoding: chunked\r\n\r\n");
    add(FILE_HEAD("a"));
    add_bytes('z', 20000);
    add("\r\n--cut--\r\n");
    for (size_t at = 0; at < body_len; at += 100) {
        size_t step = body_len - at < 100 ? body_len - at : 100;
        char size[10];

        snprintf(size, sizeof(size), "%zx\r\n", step);
        client_text(fd, size);
        client_send(fd, body + at, step);
        client_text(fd, "\r\n");
    }
    client_text(fd, "0\r\n\r\n");
    client_read(fd, &answer);
    close(fd);
    snprintf(want, sizeof(want), "OK 20000 %.40s -", body + 200);
    expect(want);
    assert_int_equal(atomic_load(&fixture.most_pieces_out), 1);
}

static void a_held_piece_stops_the_reader(void **state)
{
    int fd = client_connect(fixture.port);

    (void)state;
    atomic_store(&fixture.hold_pieces, true);
    client_text(fd, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: " CUT
                    "\r\nContent-Length: 100000\r\n\r\n");
    add(FILE_HEAD("a"));
    add_bytes('z', 50000);
    client_send(fd, body, body_len);
    fixture_await(&fixture.pieces, 1);
    /* Others are served meanwhile, and no second piece comes. */
    for (int i = 0; i < 20; i++) {
        struct answer *other = &answer;

        client_ask(fixture.port, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n", other);
        assert_int_equal(other->status, 200);
    }
    assert_int_equal(atomic_load(&fixture.pieces), 1);
    fixture_release(&fixture);
    fixture_await(&fixture.pieces, 3);
    close(fd);
    fixture_await(&fixture.ended, 21);
}

static void a_file_over_the_limit_is_413(void **state)
{
    int fd;

    (void)state;
    add(FILE_HEAD("a"));
    add_bytes('z', (1 << 20) + 1);
    add("\r\n--cut--\r\n");
    upload("/upload", CUT, 1 << 20);
    assert_int_equal(answer.status, 413);
    client_ask(fixture.port,
               "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: " CUT
               "\r\nContent-Length: 1200000\r\nExpect: 100-continue\r\n\r\n",
               &answer);
    assert_int_equal(answer.status, 413);
    assert_true(answer.closed);
    assert_int_equal(atomic_load(&fixture.requests), 0);
    fd = client_connect(fixture.port);
    client_text(fd, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
                    "Content-Length: 70000\r\n\r\n");
    client_read(fd, &answer);
    assert_int_equal(answer.status, 413);
    close(fd);
}

static void an_owner_that_cannot_go_on_is_heard(void **state)
{
    (void)state;
    add(FILE_HEAD("a"));
    add_bytes('z', 100000);
    add("\r\n--cut--\r\n");
    upload("/upload?mode=full", CUT, 1 << 20);
    assert_int_equal(answer.status, 200);
    assert_int_equal(strncmp(answer.body, "DISK_FULL ", 10), 0);
    assert_int_equal(atomic_load(&fixture.pieces), 1);
    upload("/upload?mode=reply", CUT, 1 << 20);
    assert_int_equal(answer.status, 507);
    assert_int_equal(atomic_load(&fixture.pieces), 2);
    assert_int_equal(atomic_load(&fixture.requests), 1);
}

#define live(test) cmocka_unit_test_setup_teardown(test, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        live(the_first_file_part_is_handed_on),
        live(fields_beside_the_file_are_kept),
        live(a_large_or_unsound_field_is_passed_over),
        live(client_file_names_mean_nothing),
        live(only_the_first_file_counts),
        live(an_empty_file_is_a_file),
        live(a_body_without_its_end_is_told),
        live(a_body_without_a_file_is_told),
        live(unsound_boundaries_are_bad_input),
        live(more_than_eight_parts_are_bad_input),
        live(part_headers_longer_than_a_line_are_bad_input),
        live(a_large_file_comes_whole_and_in_small_pieces),
        live(a_chunked_upload_waits_for_its_owner_too),
        live(a_held_piece_stops_the_reader),
        live(a_file_over_the_limit_is_413),
        live(an_owner_that_cannot_go_on_is_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
