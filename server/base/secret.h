/* SPDX-License-Identifier: MIT
 *
 * Random names and secrets, hashes and comparisons that take the same time, on libsodium. Any
 * thread after secret_init().
 */
#ifndef SERVER_BASE_SECRET_H
#define SERVER_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

#define SECRET_ID_SIZE     33 /* 128 bits in hexadecimal and a NUL */
#define SECRET_TOKEN_SIZE  65 /* 256 bits in hexadecimal and a NUL */
#define SECRET_SHA256_SIZE 65 /* SHA-256 (FIPS 180-4) in hexadecimal and a NUL */

enum err secret_init(void); /* once, at the start of the process */
/* 128 random bits; for ids, capabilities and file names. */
void secret_new_id(char out[static SECRET_ID_SIZE]);
/* 256 random bits; for tokens. */
void secret_new_token(char out[static SECRET_TOKEN_SIZE]);
void secret_sha256(const void *bytes, size_t len, char out[static SECRET_SHA256_SIZE]);
/* SHA-256 of a file's bytes; ERR_IO with a cause. Blocks: not on the loop. */
enum err secret_sha256_file(const char *path, char out[static SECRET_SHA256_SIZE],
                            struct cause *cause);
/* Whether two texts are the same, in a time that tells nothing but their lengths. */
bool secret_equal(const char *a, const char *b);
/* Uniform in [0, bound), for jitter; bound > 0. */
unsigned secret_random(unsigned bound);

#endif
