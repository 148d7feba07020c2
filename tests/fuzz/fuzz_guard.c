/* SPDX-License-Identifier: MIT
 *
 * A head as text: the request line, then a header a line ("!" before the value: its lines were
 * folded). What the guard lets through keeps its promises when they are checked another way, and
 * goes on to the origin check, the router and the path of a file, which must not be fooled either.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/http_guard.h"
#include "server/router.h"
#include "server/static_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 128

struct head {
    char text[8192 + 1];
    struct guard_header list[HEADERS];
    struct guard_input input;
};

static const struct route table[] = {
    {.methods = 1u << HTTP_GET | 1u << HTTP_POST, .pattern = "/hello"},
    {.methods = 1u << HTTP_GET, .pattern = "/pic/{id}"},
    {.methods = 1u << HTTP_PUT, .pattern = "/a/{one}/b/{two}"},
    {.methods = 1u << HTTP_GET, .pattern = "/{path*}"},
    {.pattern = NULL},
};

/* Cuts the first line at its first and last space, as libmicrohttpd does. */
static bool read_line(struct head *head, char *line, size_t len)
{
    char *uri = memchr(line, ' ', len), *version = memrchr(line, ' ', len);

    if (uri == NULL || version == uri)
        return false;
    *uri++ = '\0';
    *version++ = '\0';
    head->input.method = line;
    head->input.raw_uri = uri;
    head->input.raw_uri_len = (size_t)(version - 1 - uri);
    head->input.version = version;
    return true;
}

static bool read_head(struct head *head, const uint8_t *data, size_t size)
{
    char *at = head->text, *end = head->text + size, *stop;

    memset(&head->input, 0, sizeof(head->input));
    memcpy(head->text, data, size);
    *end = '\0';
    stop = memchr(at, '\n', size);
    if (stop == NULL)
        stop = end;
    *stop = '\0';
    if (!read_line(head, at, (size_t)(stop - at)))
        return false;
    head->input.headers = head->list;
    for (at = stop + 1; at < end && head->input.header_count < HEADERS; at = stop + 1) {
        struct guard_header *header = &head->list[head->input.header_count++];
        char *colon;

        stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        *stop = '\0';
        colon = memchr(at, ':', (size_t)(stop - at));
        header->name = at;
        header->name_len = colon != NULL ? (size_t)(colon - at) : (size_t)(stop - at);
        header->value = colon != NULL ? colon + 1 : stop;
        header->glued = header->value[0] == '!';
        header->value += strspn(header->value, " \t!");
        header->value_len = (size_t)(stop - header->value);
    }
    return true;
}

static const char *value_of(const struct head *head, const char *name, size_t *times)
{
    const char *value = NULL;

    *times = 0;
    for (size_t i = 0; i < head->input.header_count; i++) {
        const struct guard_header *header = &head->list[i];

        if (header->name_len == strlen(name) &&
            strncasecmp(header->name, name, header->name_len) == 0) {
            (*times)++;
            value = header->value;
        }
    }
    return value;
}

static void check_framing(const struct head *head)
{
    static const char *const single[] = {"Host", "Content-Length", "Authorization",
                                         "Transfer-Encoding"};
    size_t times, lengths, codings;

    for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++) {
        value_of(head, single[i], &times);
        assert(times <= 1);
    }
    value_of(head, "Host", &times);
    assert(times == 1 || strcmp(head->input.version, "HTTP/1.0") == 0);
    value_of(head, "Content-Length", &lengths);
    value_of(head, "Transfer-Encoding", &codings);
    assert(lengths + codings <= 1);
    for (size_t i = 0; i < head->input.header_count; i++) {
        const struct guard_header *header = &head->list[i];

        assert(!header->glued);
        assert(header->name_len > 0 && memchr(header->name, '\0', header->name_len) == NULL);
        assert(memchr(header->value, '\0', header->value_len) == NULL);
        assert(memchr(header->value, '\r', header->value_len) == NULL);
    }
}

/* As libmicrohttpd decodes: once, what is well formed. */
static void decode(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (text[0] == '%' && text[1] != '\0' && text[2] != '\0') {
            char pair[3] = {text[1], text[2], '\0'}, *end;
            long value = strtol(pair, &end, 16);

            if (end == pair + 2) {
                assert(value != 0);
                *out++ = (char)value;
                text += 2;
                continue;
            }
        }
        *out++ = *text;
    }
    *out = '\0';
}

static void check_path(const struct head *head)
{
    char path[8192 + 1], file[STATIC_PATH_SIZE], allow[64];
    struct route_match match;
    enum http_method method;
    enum err err;

    memcpy(path, head->input.raw_uri, head->input.raw_uri_len);
    path[head->input.raw_uri_len] = '\0';
    assert(strlen(path) == head->input.raw_uri_len);
    path[strcspn(path, "?")] = '\0';
    decode(path);
    assert(strstr(path, "/../") == NULL && strchr(path, '\\') == NULL);
    assert(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
    if (static_path_resolve(path, file)) {
        assert(file[0] != '/' && file[0] != '.' && file[0] != '\0');
        assert(strstr(file, "/.") == NULL && strstr(file, "//") == NULL);
    }
    assert(http_method_find(head->input.method, &method));
    err = route_find(table, method, path, &match, allow, sizeof(allow));
    assert(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_METHOD);
    assert((match.route == NULL) == (err == ERR_NOT_FOUND));
    assert(err != ERR_METHOD || allow[0] != '\0');
    assert(memchr(match.param[0], '\0', sizeof(match.param[0])) != NULL);
    assert(memchr(match.param[1], '\0', sizeof(match.param[1])) != NULL);
}

static void check_origin(const struct head *head)
{
    static const char *const ours[] = {"door.example", "house.local:5000", NULL};
    size_t times;
    const struct origin_input input = {
        .host = value_of(head, "Host", &times),
        .origin = value_of(head, "Origin", &times),
        .referer = value_of(head, "Referer", &times),
        .sec_fetch_site = value_of(head, "Sec-Fetch-Site", &times),
        .local_address = "192.168.1.5",
        .local_port = 5000,
        .own_hosts = ours,
    };
    const char *range = value_of(head, "X-Range", &times);
    const char *address = value_of(head, "X-Address", &times);
    const char *why = NULL;

    if (http_origin_check(&input, &why) == ERR_OK && input.origin != NULL) {
        assert(strncasecmp(input.origin, "http", 4) == 0);
        assert(strcasestr(input.origin, "door.example") != NULL ||
               strcasestr(input.origin, "house.local") != NULL ||
               strstr(input.origin, "192.168.1.5") != NULL || strchr(input.origin, '[') != NULL);
        assert(input.host == NULL || strcasestr(input.host, "evil") == NULL);
    }
    assert(why != NULL);
    if (range != NULL && address != NULL && cidr_contains(range, address))
        assert(cidr_is_valid(range));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head head;
    const char *why = NULL;
    enum err err;

    if (size >= sizeof(head.text) || !read_head(&head, data, size))
        return 0;
    err = http_guard(&head.input, &why);
    assert(why != NULL && (err == ERR_OK) == (why[0] == '\0'));
    assert(err == ERR_OK || err == ERR_BAD_INPUT || err == ERR_METHOD ||
           err == ERR_HEADERS_TOO_LARGE);
    check_origin(&head);
    if (err != ERR_OK)
        return 0;
    check_framing(&head);
    check_path(&head);
    return 0;
}
