/* SPDX-License-Identifier: MIT
 *
 * Refuses what libmicrohttpd lets through (PITFALLS 9, CONTRACT 1.6). Pure: it looks at the raw
 * method, the raw address and every header with its length, and says ERR_OK or why not.
 */
#ifndef SERVER_HTTP_GUARD_H
#define SERVER_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"
#include "server/http.h"

struct guard_header {
    const char *name, *value;
    size_t name_len, value_len;
    bool glued; /* its lines were folded (RFC 9112 5.2), or it holds a NUL */
};
struct guard_input {
    const char *method, *version; /* "HTTP/1.1" */
    const char *raw_uri;          /* as it came, undecoded, path and query */
    size_t raw_uri_len;
    bool line_cut; /* the request line holds a NUL, or more than one space between its parts */
    const struct guard_header *headers;
    size_t header_count;
};
/* ERR_OK, ERR_BAD_INPUT (400 and close), ERR_HEADERS_TOO_LARGE, ERR_METHOD (a method that is none
 * of ours: 405). `why` (may be NULL) gets a static text for the log. */
enum err http_guard(const struct guard_input *input, const char **why);
/* The method of that exact name; false when it is none of ours. */
bool http_method_find(const char *name, enum http_method *out);

/* CONTRACT 1.3: foreign pages can't use the old addresses. Values may be NULL when the header is
 * missing. `hosts`: the names that are ours, "host" or "host:port" lower case, NULL-ended;
 * local_address the address the request came to. */
struct origin_input {
    const char *host, *origin, *referer, *sec_fetch_site;
    const char *local_address;
    int local_port;
    const char *const *own_hosts;
    /* It changes something and brings no credential: then a browser must say which page asks. To an
     * address without TLS it sends no Sec-Fetch-Site, and a page can have its images fetched
     * without Origin and Referer. */
    bool by_address_alone;
    const char *user_agent;
};
/* ERR_OK or ERR_FORBIDDEN. */
enum err http_origin_check(const struct origin_input *input, const char **why);
/* CIDR ranges, IPv4 and IPv6: http.trusted. */
bool cidr_is_valid(const char *text);
bool cidr_contains(const char *range, const char *address);

#endif
