/* SPDX-License-Identifier: MIT
 *
 * Paths, methods, Allow and HEAD against a table of the test's own.
 */
#include "server/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define M(method) (1u << HTTP_##method)

static const struct route table[] = {
    {.methods = M(GET) | M(POST), .pattern = "/hello"},
    {.methods = M(GET) | M(POST), .pattern = "/lock", .flags = ROUTE_NO_HEAD},
    {.methods = M(GET), .pattern = "/pic/{id}"},
    {.methods = M(DELETE), .pattern = "/pic/{id}"},
    {.methods = M(GET), .pattern = "/devices/{id}/twins/{name}"},
    {.methods = M(GET), .pattern = "/www/{path*}"},
    {.methods = M(GET), .pattern = "/"},
    {.pattern = NULL},
};

static enum err find(enum http_method method, const char *path, struct route_match *match,
                     char allow[64])
{
    memset(match, 'x', sizeof(*match));
    allow[0] = '\0';
    return route_find(table, method, path, match, allow, 64);
}

static void a_path_finds_its_row(void **state)
{
    struct route_match match;
    char allow[64];

    (void)state;
    assert_int_equal(find(HTTP_POST, "/hello", &match, allow), ERR_OK);
    assert_ptr_equal(match.route, &table[0]);
    assert_int_equal(find(HTTP_GET, "/", &match, allow), ERR_OK);
    assert_ptr_equal(match.route, &table[6]);
    assert_int_equal(find(HTTP_DELETE, "/pic/9", &match, allow), ERR_OK);
    assert_ptr_equal(match.route, &table[3]);
}

static void segments_become_params(void **state)
{
    struct route_match match;
    char allow[64];

    (void)state;
    assert_int_equal(find(HTTP_GET, "/pic/a b", &match, allow), ERR_OK);
    assert_string_equal(match.param[0], "a b");
    assert_string_equal(match.param[1], "");
    assert_int_equal(find(HTTP_GET, "/devices/d1/twins/door", &match, allow), ERR_OK);
    assert_string_equal(match.param[0], "d1");
    assert_string_equal(match.param[1], "door");
    assert_int_equal(find(HTTP_GET, "/www/css/a.css", &match, allow), ERR_OK);
    assert_string_equal(match.param[0], "css/a.css");
}

static void unknown_paths_are_not_found(void **state)
{
    static const char *const paths[] = {
        "/hell", "/hello/",    "/helloo", "/Hello",           "/pic", "/pic/", "/pic/a/b",
        "",      "/devices/d", "/www/",   "/devices//twins/", "//",   "*"};
    struct route_match match;
    char allow[64], deep[300] = "/pic/";

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        assert_int_equal(find(HTTP_GET, paths[i], &match, allow), ERR_NOT_FOUND);
        assert_null(match.route);
        assert_string_equal(allow, "");
    }
    memset(deep + 5, 'a', 159);
    assert_int_equal(find(HTTP_GET, deep, &match, allow), ERR_OK);
    memset(deep + 5, 'a', 160);
    assert_int_equal(find(HTTP_GET, deep, &match, allow), ERR_NOT_FOUND);
}

static void other_methods_are_told_which_are_allowed(void **state)
{
    struct route_match match;
    char allow[64];

    (void)state;
    assert_int_equal(find(HTTP_PUT, "/hello", &match, allow), ERR_METHOD);
    assert_ptr_equal(match.route, &table[0]);
    assert_string_equal(allow, "GET, HEAD, POST");
    assert_int_equal(find(HTTP_POST, "/pic/1", &match, allow), ERR_METHOD);
    assert_string_equal(allow, "GET, HEAD, DELETE");
    assert_int_equal(find(HTTP_OPTIONS, "/lock", &match, allow), ERR_METHOD);
    assert_string_equal(allow, "GET, POST");
}

static void get_implies_head_unless_it_changes_something(void **state)
{
    struct route_match match;
    char allow[64];

    (void)state;
    assert_int_equal(find(HTTP_HEAD, "/hello", &match, allow), ERR_OK);
    assert_int_equal(find(HTTP_HEAD, "/lock", &match, allow), ERR_METHOD);
    assert_string_equal(allow, "GET, POST");
}

static void a_small_allow_buffer_is_cut_at_a_whole_method(void **state)
{
    struct route_match match;
    char allow[8];

    (void)state;
    assert_int_equal(route_find(table, HTTP_PUT, "/hello", &match, allow, sizeof(allow)),
                     ERR_METHOD);
    assert_string_equal(allow, "GET");
    assert_int_equal(route_find(table, HTTP_PUT, "/hello", &match, NULL, 0), ERR_METHOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_its_row),
        cmocka_unit_test(segments_become_params),
        cmocka_unit_test(unknown_paths_are_not_found),
        cmocka_unit_test(other_methods_are_told_which_are_allowed),
        cmocka_unit_test(get_implies_head_unless_it_changes_something),
        cmocka_unit_test(a_small_allow_buffer_is_cut_at_a_whole_method),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
