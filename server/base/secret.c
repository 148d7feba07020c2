/* SPDX-License-Identifier: MIT
 *
 * libsodium in the few shapes that the server needs. Keeps no secret.
 */
#include "server/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

_Static_assert(SECRET_SHA256_SIZE == 2 * crypto_hash_sha256_BYTES + 1, "hexadecimal and a NUL");

enum err secret_init(void)
{
    return sodium_init() < 0 ? ERR_INTERNAL : ERR_OK;
}

static void secret_random_hex(char *out, size_t size)
{
    unsigned char bytes[(SECRET_TOKEN_SIZE - 1) / 2];
    size_t count = (size - 1) / 2;
    randombytes_buf(bytes, count);
    sodium_bin2hex(out, size, bytes, count);
    sodium_memzero(bytes, sizeof bytes);
}

void secret_new_id(char out[static SECRET_ID_SIZE])
{
    secret_random_hex(out, SECRET_ID_SIZE);
}

void secret_new_token(char out[static SECRET_TOKEN_SIZE])
{
    secret_random_hex(out, SECRET_TOKEN_SIZE);
}

void secret_sha256(const void *bytes, size_t len, char out[static SECRET_SHA256_SIZE])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes, len);
    sodium_bin2hex(out, SECRET_SHA256_SIZE, hash, sizeof hash);
}

enum err secret_sha256_file(const char *path, char out[static SECRET_SHA256_SIZE],
                            struct cause *cause)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cause_set(cause, ERR_IO, "%s can't be opened: %s", path, strerror(errno));
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    unsigned char block[32768];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        crypto_hash_sha256_update(&state, block, (unsigned long long)got);
    }
    int why = errno;
    close(fd);
    if (got < 0)
        return cause_set(cause, ERR_IO, "%s can't be read: %s", path, strerror(why));
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(out, SECRET_SHA256_SIZE, hash, sizeof hash);
    return ERR_OK;
}

bool secret_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && sodium_memcmp(a, b, len) == 0;
}

unsigned secret_random(unsigned bound)
{
    return randombytes_uniform(bound);
}
