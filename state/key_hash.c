/* SPDX-License-Identifier: MIT
 *
 * One function from the paper. It knows nothing of tables.
 */
#include "state/key_hash.h"

#include <string.h>

#include "server/base/secret.h"

void key_hash_seed(struct key_hash_seed *seed)
{
    for (int i = 0; i < 2; i++)
        seed->half[i] = (uint64_t)secret_random(UINT32_MAX) << 32 | secret_random(UINT32_MAX);
}

static uint64_t turn_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = turn_left(v[1], 13) ^ v[0];
    v[3] = turn_left(v[3], 16) ^ v[2];
    v[0] = turn_left(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = turn_left(v[1], 17) ^ v[2];
    v[3] = turn_left(v[3], 21) ^ v[0];
    v[2] = turn_left(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein, "SipHash: a fast short-input PRF", section 2), folded to 32
 * bits. */
unsigned key_hash(const struct key_hash_seed *seed, const char *key, size_t len)
{
    uint64_t v[4] = {
        seed->half[0] ^ UINT64_C(0x736f6d6570736575),
        seed->half[1] ^ UINT64_C(0x646f72616e646f6d),
        seed->half[0] ^ UINT64_C(0x6c7967656e657261),
        seed->half[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t word;
    size_t at = 0;
    for (; len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, key + at, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, key + at, len - at);
    word |= (uint64_t)len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (unsigned)(hash ^ hash >> 32);
}
