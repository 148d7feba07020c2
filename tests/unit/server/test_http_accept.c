/* SPDX-License-Identifier: MIT
 *
 * Who may still connect: the cap of one address, and the places kept for the machine itself. Asked
 * directly, since no test on loopback can come from another address.
 */
#include "server/http_priv.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool may(struct http *http, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &from.sin_addr);
    return http_may_connect(http, (struct sockaddr *)&from, sizeof from) == MHD_YES;
}

static void connect_from(struct http *http, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &from.sin_addr);
    assert_true(http_peers_add(&http->peers, (struct sockaddr *)&from));
    http->count++;
}

static void one_address_has_no_more_than_its_share(void **state)
{
    (void)state;
    struct http http = {.options = {.max_per_address = 2}, .limit = 100, .reserve = 10};
    connect_from(&http, "192.0.2.1");
    assert_true(may(&http, "192.0.2.1"));
    connect_from(&http, "192.0.2.1");
    assert_false(may(&http, "192.0.2.1"));
    assert_true(may(&http, "192.0.2.2"));
    http_peers_free(&http.peers);
}

static void the_last_places_are_for_the_machine_itself(void **state)
{
    (void)state;
    struct http http = {.options = {.max_per_address = 50}, .limit = 6, .reserve = 3};
    for (int i = 0; i < 3; i++)
        connect_from(&http, "192.0.2.1");
    assert_false(may(&http, "192.0.2.9"));
    assert_true(may(&http, "127.0.0.1"));
    http_peers_free(&http.peers);
}

static void the_machine_itself_has_no_cap(void **state)
{
    (void)state;
    struct http http = {.options = {.max_per_address = 1}, .limit = 100, .reserve = 10};
    connect_from(&http, "127.0.0.1");
    connect_from(&http, "127.0.0.1");
    assert_true(may(&http, "127.0.0.1"));
    http_peers_free(&http.peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_has_no_more_than_its_share),
        cmocka_unit_test(the_last_places_are_for_the_machine_itself),
        cmocka_unit_test(the_machine_itself_has_no_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
