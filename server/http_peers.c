/* SPDX-License-Identifier: MIT
 *
 * A table from address to number. An IPv6 address counts with its /64: who has one address there
 * has all of them.
 */
#include "server/http_peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct http_peer {
    unsigned char key[16];
    unsigned count;
    UT_hash_handle hh;
};

static void make_key(const struct sockaddr *address, unsigned char key[16])
{
    memset(key, 0, 16);
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

        memcpy(key, &six->sin6_addr, IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 16 : 8);
    } else if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;

        key[10] = key[11] = 0xff;
        memcpy(key + 12, &four->sin_addr, 4);
    }
}

static struct http_peer *find(const struct http_peers *peers, const struct sockaddr *address)
{
    unsigned char key[16];
    struct http_peer *peer;

    make_key(address, key);
    HASH_FIND(hh, peers->table, key, sizeof(key), peer);
    return peer;
}

unsigned http_peers_count(const struct http_peers *peers, const struct sockaddr *address)
{
    const struct http_peer *peer = find(peers, address);

    return peer != NULL ? peer->count : 0;
}

bool http_peers_add(struct http_peers *peers, const struct sockaddr *address)
{
    struct http_peer *peer = find(peers, address);

    if (peer == NULL) {
        peer = calloc(1, sizeof(*peer));
        if (peer == NULL)
            return false;
        make_key(address, peer->key);
        HASH_ADD(hh, peers->table, key, sizeof(peer->key), peer);
    }
    peer->count++;
    return true;
}

void http_peers_remove(struct http_peers *peers, const struct sockaddr *address)
{
    struct http_peer *peer = find(peers, address);

    if (peer == NULL || --peer->count > 0)
        return;
    HASH_DELETE(hh, peers->table, peer);
    free(peer);
}

void http_peers_free(struct http_peers *peers)
{
    struct http_peer *peer, *next;

    HASH_ITER (hh, peers->table, peer, next) {
        HASH_DELETE(hh, peers->table, peer);
        free(peer);
    }
}
