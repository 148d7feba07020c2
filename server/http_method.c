/* SPDX-License-Identifier: MIT
 *
 * The names of the methods that we speak (RFC 9110 9.3, RFC 5789), once.
 */
#include "server/http_guard.h"

#include <string.h>

static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
_Static_assert(sizeof(names) / sizeof(*names) == HTTP_METHODS, "each method has a name");

const char *http_method_name(enum http_method method)
{
    return (unsigned)method < HTTP_METHODS ? names[method] : "?";
}

bool http_method_find(const char *name, enum http_method *out)
{
    for (int i = 0; i < HTTP_METHODS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum http_method)i;
            return true;
        }
    }
    return false;
}
