/* SPDX-License-Identifier: MIT
 *
 * For whoever watches the process: /livez says that the loop turns, /readyz (and /healthz) that
 * store, broker and subscriptions are there, and else what is wrong. Open to all, so it names no
 * device and no person.
 */
#include "server/routes.h"

#include <string.h>

#include "server/exchange.h"
#include "server/server.h"

void route_livez(struct server *server, struct http_request *request)
{
    (void)server;
    http_reply_text(request, 200, "ok\n");
}

void route_readyz(struct server *server, struct http_request *request)
{
    struct buf buf;
    buf_init(&buf, 16384);
    int problems = server_problems(server, &buf);
    if (!problems)
        buf_add_str(&buf, "ready\n");
    struct buf warnings;
    buf_init(&warnings, 8192);
    server_warnings(server, &warnings);
    for (char *line = warnings.data, *end; line && (end = strchr(line, '\n')); line = end + 1)
        buf_addf(&buf, "warning: %.*s\n", (int)(end - line), line);
    struct http_reply reply = HTTP_REPLY_INIT;
    reply.status = problems ? 503 : 200;
    reply.body = buf.data;
    reply.len = buf.len;
    http_reply(request, &reply);
    buf_free(&warnings);
    buf_free(&buf);
}
