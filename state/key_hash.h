/* SPDX-License-Identifier: MIT
 *
 * The keyed hash of the tables in memory. Strangers choose ids; without the seed they can't choose
 * ids that meet in one bucket.
 */
#ifndef STATE_KEY_HASH_H
#define STATE_KEY_HASH_H

#include <stddef.h>
#include <stdint.h>

struct key_hash_seed {
    uint64_t half[2];
};

/* A fresh random seed; secret_init() comes first. */
void key_hash_seed(struct key_hash_seed *seed);
unsigned key_hash(const struct key_hash_seed *seed, const char *key, size_t len);

#endif
