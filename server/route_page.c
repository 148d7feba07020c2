/* SPDX-License-Identifier: MIT
 *
 * The page and its files, from memory.
 */
#include "server/routes.h"

#include "server/exchange.h"
#include "server/server.h"
#include "server/static_files.h"

void route_page(struct server *server, struct http_request *request)
{
    static_files_reply(server->files, request);
}
