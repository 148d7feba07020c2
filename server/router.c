/* SPDX-License-Identifier: MIT
 *
 * One walk over the table of routes: the first row whose pattern fits and that takes the method is
 * it; when only the method is missing, the rows that fit make up the Allow header. Knows neither
 * the handlers' work nor who asks.
 */
#include "server/router.h"

#include <stdio.h>
#include <string.h>

#include "server/base/names.h"

#define PARAMS                                                                                     \
    (sizeof(((struct route_match *)0)->param) / sizeof(((struct route_match *)0)->param[0]))

/* Takes over one segment; false when it doesn't fit. */
static bool take_param(struct route_match *match, size_t *count, const char *text, size_t len)
{
    if (len == 0 || *count == PARAMS || len >= sizeof(match->param[0]))
        return false;
    text_copy(match->param[*count], sizeof(match->param[0]), text, len);
    (*count)++;
    return true;
}

static bool fits(const char *pattern, const char *path, struct route_match *match)
{
    size_t count = 0;

    while (*pattern != '\0') {
        const char *close;
        size_t len;

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        close = strchr(pattern, '}');
        if (close == NULL)
            return false;
        len = close[-1] == '*' ? strlen(path) : strcspn(path, "/");
        if (!take_param(match, &count, path, len))
            return false;
        path += len;
        pattern = close + 1;
    }
    return *path == '\0';
}

static unsigned methods_of(const struct route *route)
{
    unsigned get = 1u << HTTP_GET;

    if ((route->methods & get) != 0 && (route->flags & ROUTE_NO_HEAD) == 0)
        return route->methods | 1u << HTTP_HEAD;
    return route->methods;
}

static void write_allow(unsigned methods, char *allow, size_t size)
{
    size_t used = 0;

    if (allow == NULL || size == 0)
        return;
    allow[0] = '\0';
    for (int i = 0; i < HTTP_METHODS; i++) {
        int wrote;

        if ((methods & 1u << i) == 0)
            continue;
        wrote = snprintf(allow + used, size - used, "%s%s", used > 0 ? ", " : "",
                         http_method_name((enum http_method)i));
        if (wrote < 0 || (size_t)wrote >= size - used) {
            allow[used] = '\0';
            return;
        }
        used += (size_t)wrote;
    }
}

enum err route_find(const struct route *table, enum http_method method, const char *path,
                    struct route_match *match, char *allow, size_t allow_size)
{
    const struct route *first = NULL;
    unsigned methods = 0;

    for (const struct route *route = table; route->pattern != NULL; route++) {
        match->param[0][0] = match->param[1][0] = '\0';
        /* A rest of a path is for what no other row knows: it must not make HEAD of /lock a file.
         */
        if (first != NULL && strchr(route->pattern, '*') != NULL)
            break;
        if (!fits(route->pattern, path, match))
            continue;
        if ((methods_of(route) & 1u << method) != 0) {
            match->route = route;
            return ERR_OK;
        }
        if (first == NULL)
            first = route;
        methods |= methods_of(route);
    }
    match->route = first;
    match->param[0][0] = match->param[1][0] = '\0';
    write_allow(methods, allow, allow_size);
    return first != NULL ? ERR_METHOD : ERR_NOT_FOUND;
}
