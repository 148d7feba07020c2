/* SPDX-License-Identifier: MIT
 *
 * Which path means which file, and what is sent with it.
 */
#include "server/static_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/server/http_fixture.h"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    char path[100];

    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/test_static_XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/css", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("index.html", "<!doctype html>");
    write_file("app.js", "1;");
    write_file("css/page.css", "a{}");
    write_file(".hidden", "x");
    write_file("empty.txt", "");
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {
        "index.html", "app.js", "css/page.css", ".hidden", "empty.txt", "css", ""};
    char path[200];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static void paths_mean_files(void **state)
{
    static const char *const pairs[][2] = {
        {"/", "index.html"},   {"/index.html", "index.html"},
        {"/app.js", "app.js"}, {"/css/p.css", "css/p.css"},
        {"/a b", "a b"},       {"/\xc3\xa4", "\xc3\xa4"},
        {"/a..b", "a..b"},     {"/a.", "a."},
    };
    char out[STATIC_PATH_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        assert_true(static_path_resolve(pairs[i][0], out));
        assert_string_equal(out, pairs[i][1]);
    }
}

static void paths_that_can_be_no_file_are_refused(void **state)
{
    static const char *const bad[] = {
        "",      "a",       "//",    "//a",    "/a/", "/a//b",    "/..",  "/../a",
        "/a/..", "/a/../b", "/.",    "/./a",   "/.a", "/a/.b",    "/...", "/a\\b",
        "/a\nb", "/a\x7f",  "/\xff", "/..\\a", "*",   "/css/./a",
    };
    char out[STATIC_PATH_SIZE], deep[STATIC_PATH_SIZE + 10];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(static_path_resolve(bad[i], out));
    memset(deep, 'a', sizeof(deep));
    deep[0] = '/';
    deep[STATIC_PATH_SIZE] = '\0';
    assert_true(static_path_resolve(deep, out));
    assert_int_equal(strlen(out), STATIC_PATH_SIZE - 1);
    deep[STATIC_PATH_SIZE] = 'a';
    deep[STATIC_PATH_SIZE + 1] = '\0';
    assert_false(static_path_resolve(deep, out));
}

static void types_follow_the_name(void **state)
{
    (void)state;
    assert_string_equal(static_type_of("index.html"), "text/html; charset=utf-8");
    assert_string_equal(static_type_of("a.b/APP.JS"), "text/javascript; charset=utf-8");
    assert_string_equal(static_type_of("x.svg"), "image/svg+xml");
    assert_string_equal(static_type_of("x"), "application/octet-stream");
    assert_string_equal(static_type_of("x.htmlx"), "application/octet-stream");
}

static void etags_are_found_in_their_list(void **state)
{
    (void)state;
    assert_true(static_etag_matches("\"abc\"", "\"abc\""));
    assert_true(static_etag_matches("\"x\", W/\"abc\" , \"y\"", "\"abc\""));
    assert_true(static_etag_matches("*", "\"abc\""));
    assert_false(static_etag_matches(NULL, "\"abc\""));
    assert_false(static_etag_matches("", "\"abc\""));
    assert_false(static_etag_matches("\"ab\",,", "\"abc\""));
    assert_false(static_etag_matches("abc", "\"abc\""));
    assert_false(static_etag_matches("\"abc\"d", "\"abc\""));
}

static void the_folder_is_read_without_what_is_hidden(void **state)
{
    struct static_files *files = NULL;
    struct cause cause = {""};

    (void)state;
    assert_int_equal(static_files_load_from(folder, &files, &cause), ERR_OK);
    assert_int_equal(static_files_count(files), 4);
    static_files_free(files);
    files = NULL;
    assert_int_equal(static_files_load_from("/nonexistent", &files, &cause), ERR_NOT_FOUND);
    assert_non_null(strstr(cause.text, "/nonexistent"));
    assert_null(files);
}

static struct static_files *served;

static enum http_body serve_headers(void *owner, struct http_request *request)
{
    (void)owner;
    (void)request;
    return HTTP_BODY_NONE;
}

static void serve_request(void *owner, struct http_request *request)
{
    (void)owner;
    static_files_reply(served, request);
}

static void files_are_served_with_their_headers(void **state)
{
    static struct fixture fixture;
    static struct answer answer;
    struct cause cause = {""};
    char text[200], *etag;

    (void)state;
    assert_int_equal(static_files_load_from(folder, &served, &cause), ERR_OK);
    fixture_init(&fixture);
    fixture.options.on_headers = serve_headers;
    fixture.options.on_request = serve_request;
    fixture.options.on_end = NULL;
    fixture_start(&fixture);
    client_ask(fixture.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "<!doctype html>");
    assert_non_null(strstr(answer.head, "Content-Type: text/html; charset=utf-8\r\n"));
    assert_non_null(strstr(answer.head, "Content-Security-Policy: default-src 'self';"));
    assert_non_null(strstr(answer.head, "frame-ancestors 'none'\r\n"));
    assert_non_null(strstr(answer.head, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(answer.head, "Referrer-Policy: no-referrer\r\n"));
    assert_non_null(strstr(answer.head, "Cache-Control: no-cache\r\n"));
    etag = strstr(answer.head, "ETag: ");
    assert_non_null(etag);
    snprintf(text, sizeof(text),
             "GET /index.html HTTP/1.1\r\nHost: a\r\nIf-None-Match: %.18s\r\n\r\n", etag + 6);
    client_ask(fixture.port, text, &answer);
    assert_int_equal(answer.status, 304);
    assert_int_equal(answer.len, 0);
    client_ask(fixture.port, "GET /css/page.css HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_string_equal(answer.body, "a{}");
    client_ask(fixture.port, "GET /.hidden HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 404);
    client_ask(fixture.port, "GET /css HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 404);
    fixture_stop(&fixture);
    static_files_free(served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_mean_files),
        cmocka_unit_test(paths_that_can_be_no_file_are_refused),
        cmocka_unit_test(types_follow_the_name),
        cmocka_unit_test(etags_are_found_in_their_list),
        cmocka_unit_test(the_folder_is_read_without_what_is_hidden),
        cmocka_unit_test(files_are_served_with_their_headers),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
