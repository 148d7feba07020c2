/* SPDX-License-Identifier: MIT
 *
 * Counting connections per address.
 */
#include "server/http_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct sockaddr *address(const char *text)
{
    static struct sockaddr_storage storage[2];
    static int which;
    struct sockaddr_storage *out = &storage[which ^= 1];

    memset(out, 0, sizeof(*out));
    if (strchr(text, ':') != NULL) {
        out->ss_family = AF_INET6;
        inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)out)->sin6_addr);
    } else {
        out->ss_family = AF_INET;
        inet_pton(AF_INET, text, &((struct sockaddr_in *)out)->sin_addr);
    }
    return (const struct sockaddr *)out;
}

static void each_address_has_its_own_count(void **state)
{
    struct http_peers peers = {NULL};

    (void)state;
    assert_int_equal(http_peers_count(&peers, address("10.0.0.1")), 0);
    assert_true(http_peers_add(&peers, address("10.0.0.1")));
    assert_true(http_peers_add(&peers, address("10.0.0.1")));
    assert_true(http_peers_add(&peers, address("10.0.0.2")));
    assert_int_equal(http_peers_count(&peers, address("10.0.0.1")), 2);
    assert_int_equal(http_peers_count(&peers, address("10.0.0.2")), 1);
    http_peers_remove(&peers, address("10.0.0.1"));
    assert_int_equal(http_peers_count(&peers, address("10.0.0.1")), 1);
    http_peers_remove(&peers, address("10.0.0.1"));
    http_peers_remove(&peers, address("10.0.0.1"));
    assert_int_equal(http_peers_count(&peers, address("10.0.0.1")), 0);
    http_peers_free(&peers);
    assert_int_equal(http_peers_count(&peers, address("10.0.0.2")), 0);
}

static void an_ipv6_network_counts_as_one(void **state)
{
    struct http_peers peers = {NULL};

    (void)state;
    assert_true(http_peers_add(&peers, address("2001:db8:0:1::1")));
    assert_int_equal(http_peers_count(&peers, address("2001:db8:0:1:ffff::2")), 1);
    assert_int_equal(http_peers_count(&peers, address("2001:db8:0:2::1")), 0);
    http_peers_free(&peers);
}

static void a_mapped_address_is_the_ipv4_one(void **state)
{
    struct http_peers peers = {NULL};

    (void)state;
    assert_true(http_peers_add(&peers, address("::ffff:10.0.0.1")));
    assert_int_equal(http_peers_count(&peers, address("10.0.0.1")), 1);
    assert_int_equal(http_peers_count(&peers, address("::ffff:10.0.0.2")), 0);
    http_peers_free(&peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_has_its_own_count),
        cmocka_unit_test(an_ipv6_network_counts_as_one),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
