/* SPDX-License-Identifier: MIT
 *
 * How many connections each address has open. Pure but for memory; loop thread.
 */
#ifndef SERVER_HTTP_PEERS_H
#define SERVER_HTTP_PEERS_H

#include <stdbool.h>
#include <sys/socket.h>

struct http_peer;
struct http_peers {
    struct http_peer *table;
};

unsigned http_peers_count(const struct http_peers *peers, const struct sockaddr *address);
/* False when there is no memory: nothing was counted. */
bool http_peers_add(struct http_peers *peers, const struct sockaddr *address);
void http_peers_remove(struct http_peers *peers, const struct sockaddr *address);
void http_peers_free(struct http_peers *peers);

#endif
