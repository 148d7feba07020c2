/* SPDX-License-Identifier: MIT
 *
 * Gives the guard what libmicrohttpd made of a request's head, and finds what it hides.
 *
 * libmicrohttpd 0.9.75 parses a head in its read buffer and puts a NUL over each colon, CR and LF;
 * names and values point into it and are measured with strlen. So in an honest head the pieces lie
 * behind each other without a gap but for those bytes:
 *
 *   GET\0/path\0HTTP/1.1\0\0Host\0 door.example\0\0Accept\0 x\0\0\0\0body...
 *   ^method ^uri ^version   ^name  ^value          ^name   ^value  ^method + header size
 *
 * A folded line (RFC 9112 5.2) is glued to the *name* of the header before it, in memory elsewhere,
 * and leaves a gap where it was; a NUL in a value ends the value early, which leaves a gap too.
 * Both were tried with spaces and tabs, on the first, a middle and the last header, with empty
 * first parts, in one piece and byte by byte, and each leaves its gap; honest heads have none.
 * Comparing addresses alone, nothing beyond a header is read.
 */
#include "server/http_priv.h"

#include <string.h>

#include "server/base/log.h"
#include "server/http_guard.h"

/* One more than the guard takes, so that it sees that there are too many. */
#define LIST_MAX 101

struct walk {
    struct guard_header list[LIST_MAX];
    size_t count;
    uintptr_t at; /* where the last piece ended; a line's end follows */
};

/* CRLF or a bare LF (RFC 9112 2.2). */
static bool follows(uintptr_t at, uintptr_t next, unsigned line_ends)
{
    return next >= at + line_ends && next <= at + 2 * line_ends;
}

/* Between name and value are the colon (now NUL) and white space, all of it in the same line. */
static bool value_follows(const char *name_end, const char *value)
{
    uintptr_t from = (uintptr_t)name_end + 1, to = (uintptr_t)value;

    if (to < from || to - from > HTTP_POOL)
        return false;
    for (const char *p = name_end + 1; p < value; p++) {
        if (*p != ' ' && *p != '\t')
            return false;
    }
    return true;
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct walk *walk = cls;
    struct guard_header *header = &walk->list[walk->count];

    (void)kind;
    if (walk->count == LIST_MAX)
        return MHD_NO;
    walk->count++;
    header->name = name;
    header->name_len = name_len;
    header->value = value != NULL ? value : "";
    header->value_len = value != NULL ? value_len : 0;
    header->glued = value == NULL || !follows(walk->at, (uintptr_t)name, 1) ||
                    !value_follows(name + name_len, value);
    walk->at = (uintptr_t)header->value + header->value_len;
    return MHD_YES;
}

static bool line_is_cut(const struct http_request *request, const char *method, const char *version)
{
    uintptr_t uri = (uintptr_t)request->uri_at;

    return uri != (uintptr_t)method + strlen(method) + 1 ||
           (uintptr_t)version != uri + request->uri_len + 1;
}

enum err http_head_check(struct http_request *request, const char *method, const char *version)
{
    struct MHD_Connection *mhd = request->connection->mhd;
    const union MHD_ConnectionInfo *info;
    struct guard_input input = {.method = method, .version = version};
    struct walk walk;
    const char *why = "";
    enum err err;

    walk.count = 0;
    walk.at = (uintptr_t)version + strlen(version);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_header, &walk);
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    input.raw_uri = request->uri;
    input.raw_uri_len = request->uri_len;
    /* The last line and the empty one. What hides behind the last header belongs to it. */
    input.line_cut =
        line_is_cut(request, method, version) || info == NULL ||
        (walk.count < LIST_MAX && !follows(walk.at, (uintptr_t)method + info->header_size, 2));
    input.headers = walk.list;
    input.header_count = walk.count;
    err = http_guard(&input, &why);
    if (err != ERR_OK)
        log_debug("http", "%s is refused: %s", request->connection->peer, why);
    return err;
}
