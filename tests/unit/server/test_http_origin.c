/* SPDX-License-Identifier: MIT
 *
 * Foreign pages, foreign names, and ranges of addresses.
 */
#include "server/http_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"door.example", "house.local:5000", NULL};

static enum err check(const char *host, const char *origin, const char *referer, const char *site)
{
    struct origin_input input = {.host = host,
                                 .origin = origin,
                                 .referer = referer,
                                 .sec_fetch_site = site,
                                 .local_address = "127.0.0.1",
                                 .local_port = 5000,
                                 .own_hosts = names};
    const char *why = NULL;
    enum err err = http_origin_check(&input, &why);

    assert_int_equal(err == ERR_OK, why[0] == '\0');
    return err;
}

static void our_own_names_pass(void **state)
{
    (void)state;
    assert_int_equal(check("127.0.0.1:5000", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("127.0.0.1", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("localhost:5000", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("LocalHost:5000", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("door.example", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("Door.Example:8443", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check("house.local:5000", NULL, NULL, NULL), ERR_OK);
    assert_int_equal(check(NULL, NULL, NULL, NULL), ERR_OK);
}

static void foreign_names_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check("evil.example:5000", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("127.0.0.1:5001", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("house.local", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("house.local:5001", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("127.0.0.1.evil.example", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("door.example.", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("door.example:", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("door.example:5000x", NULL, NULL, NULL), ERR_FORBIDDEN);
    assert_int_equal(check("[127.0.0.1", NULL, NULL, NULL), ERR_FORBIDDEN);
}

static void localhost_is_ours_only_on_loopback(void **state)
{
    struct origin_input input = {
        .host = "localhost", .local_address = "192.168.1.5", .local_port = 80};

    (void)state;
    assert_int_equal(http_origin_check(&input, NULL), ERR_FORBIDDEN);
    input.local_address = "::1";
    assert_int_equal(http_origin_check(&input, NULL), ERR_OK);
    input.host = "[::1]:80";
    assert_int_equal(http_origin_check(&input, NULL), ERR_OK);
    input.host = "[0:0::1]";
    assert_int_equal(http_origin_check(&input, NULL), ERR_OK);
    input.local_address = "::ffff:192.168.1.5";
    input.host = "192.168.1.5:80";
    assert_int_equal(http_origin_check(&input, NULL), ERR_OK);
}

static void pages_of_ours_pass(void **state)
{
    (void)state;
    assert_int_equal(check("127.0.0.1:5000", "http://127.0.0.1:5000", NULL, "same-origin"), ERR_OK);
    assert_int_equal(check("127.0.0.1:5000", NULL, "http://127.0.0.1:5000/x?y=z", "none"), ERR_OK);
    assert_int_equal(check("door.example", "https://door.example", NULL, NULL), ERR_OK);
    assert_int_equal(check("127.0.0.1:5000", "https://DOOR.example", NULL, NULL), ERR_OK);
    assert_int_equal(check("door.example:80", "http://door.example", NULL, NULL), ERR_OK);
}

static void foreign_pages_are_refused(void **state)
{
    static const char *const bad[] = {"null",
                                      "",
                                      "http://evil.example",
                                      "http://127.0.0.1:8080",
                                      "http://door.example@evil.example",
                                      "http://127.0.0.1:5000@evil.example",
                                      "http://evil.example/127.0.0.1:5000",
                                      "file:///x",
                                      "ftp://127.0.0.1:5000",
                                      "http://",
                                      "https://127.0.0.1:5000.evil.example"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(check("127.0.0.1:5000", bad[i], NULL, NULL), ERR_FORBIDDEN);
        assert_int_equal(check("127.0.0.1:5000", NULL, bad[i], NULL), ERR_FORBIDDEN);
    }
    assert_int_equal(check("127.0.0.1:5000", NULL, NULL, "cross-site"), ERR_FORBIDDEN);
    assert_int_equal(check("127.0.0.1:5000", NULL, NULL, "same-site"), ERR_FORBIDDEN);
    assert_int_equal(check("127.0.0.1:5000", NULL, NULL, ""), ERR_FORBIDDEN);
    assert_int_equal(check("127.0.0.1:5000", "http://127.0.0.1:5000", NULL, "cross-site"),
                     ERR_FORBIDDEN);
}

static void ranges_hold_what_they_say(void **state)
{
    (void)state;
    assert_true(cidr_contains("192.168.1.0/24", "192.168.1.255"));
    assert_false(cidr_contains("192.168.1.0/24", "192.168.2.0"));
    assert_true(cidr_contains("10.0.0.0/9", "10.127.255.255"));
    assert_false(cidr_contains("10.0.0.0/9", "10.128.0.0"));
    assert_true(cidr_contains("0.0.0.0/0", "8.8.8.8"));
    assert_false(cidr_contains("0.0.0.0/0", "::1"));
    assert_true(cidr_contains("10.0.0.7", "10.0.0.7"));
    assert_false(cidr_contains("10.0.0.7", "10.0.0.8"));
    assert_true(cidr_contains("192.168.1.0/24", "::ffff:192.168.1.9"));
    assert_true(cidr_contains("fe80::/10", "fe80::1%eth0"));
    assert_true(cidr_contains("fd00::/8", "fd12:3456::1"));
    assert_false(cidr_contains("fd00::/8", "fe00::1"));
    assert_true(cidr_contains("::/0", "1.2.3.4"));
    assert_true(cidr_contains("::1/128", "::1"));
    assert_false(cidr_contains("10.0.0.0/8", "nonsense"));
    assert_false(cidr_contains("10.0.0.0/8", ""));
    assert_false(cidr_contains(NULL, "10.0.0.1"));
    assert_false(cidr_contains("10.0.0.0/8", NULL));
}

static void ranges_that_are_none_are_not_valid(void **state)
{
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/33",
                                      "10.0.0/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8x",
                                      "::/129",
                                      "fe80::1%lo",
                                      "a/8",
                                      "10.0.0.0/8/8",
                                      "10.0.0.256/8",
                                      "10.0.0.0 /8",
                                      "10.0.0.0/0008"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(cidr_is_valid(bad[i]));
    assert_false(cidr_is_valid(NULL));
    assert_true(cidr_is_valid("10.0.0.0/8"));
    assert_true(cidr_is_valid("10.1.2.3"));
    assert_true(cidr_is_valid("::/0"));
    assert_true(cidr_is_valid("2001:db8::/32"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_names_pass),
        cmocka_unit_test(foreign_names_are_refused),
        cmocka_unit_test(localhost_is_ours_only_on_loopback),
        cmocka_unit_test(pages_of_ours_pass),
        cmocka_unit_test(foreign_pages_are_refused),
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(ranges_that_are_none_are_not_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
