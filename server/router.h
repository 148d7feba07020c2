/* SPDX-License-Identifier: MIT
 *
 * Matches method and path against the table of routes: from it follow 404, 405 with Allow, HEAD,
 * and the list of routes. Pure: no HTTP library types.
 */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/http.h"
#include "state/records.h"

struct server;

enum route_flags {
    ROUTE_OLD =
        1, /* part 1 of the contract: plain text, http.trusted counts, foreign pages refused */
    ROUTE_OPEN = 2,   /* needs no token */
    ROUTE_NO_HEAD = 4 /* GET does not imply HEAD (it changes something) */
};

struct route {
    unsigned methods;    /* 1u << enum http_method */
    const char *pattern; /* "/hello", "/pic/{id}", "/" for the page; "{name}" is one segment;
                            "{path*}" the rest */
    unsigned flags;
    enum role role; /* least role, unless open */
    enum http_body body;
    const char *help;
    void (*handler)(struct server *server, struct http_request *request);
};

extern const struct route route_table[]; /* ends with a NULL pattern */

struct route_match {
    const struct route *route; /* set for ERR_OK and ERR_METHOD */
    char param[2][160];        /* the segments of {..} in order */
};
/* ERR_OK, ERR_NOT_FOUND or ERR_METHOD (then `allow` holds the Allow header's value, RFC
 * 9110 10.2.1). `index` of the row for counters. */
enum err route_find(const struct route *table, enum http_method method, const char *path,
                    struct route_match *match, char *allow, size_t allow_size);

#endif
