/* SPDX-License-Identifier: MIT
 *
 * Random texts, hashes and comparisons.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/secret.h"

static int start(void **state)
{
    (void)state;
    return secret_init() ? -1 : 0;
}

static void assert_hex(const char *text, size_t len)
{
    assert_int_equal(strlen(text), len);
    assert_int_equal(strspn(text, "0123456789abcdef"), len);
}

static void ids_and_tokens_are_hexadecimal_and_never_the_same(void **state)
{
    (void)state;
    char id[SECRET_ID_SIZE], other[SECRET_ID_SIZE];
    char token[SECRET_TOKEN_SIZE], another[SECRET_TOKEN_SIZE];
    secret_new_id(id);
    secret_new_id(other);
    secret_new_token(token);
    secret_new_token(another);
    assert_hex(id, 32);
    assert_hex(token, 64);
    assert_string_not_equal(id, other);
    assert_string_not_equal(token, another);
}

static void hashes_are_sha256(void **state)
{
    (void)state;
    char hash[SECRET_SHA256_SIZE];
    secret_sha256("abc", 3, hash);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    secret_sha256("", 0, hash);
    assert_string_equal(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void file_hash_is_that_of_its_bytes(void **state)
{
    (void)state;
    char path[] = "/tmp/gatehouse-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char bytes[100000], expected[SECRET_SHA256_SIZE], found[SECRET_SHA256_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    close(fd);
    secret_sha256(bytes, sizeof bytes, expected);
    assert_int_equal(secret_sha256_file(path, found, NULL), ERR_OK);
    assert_string_equal(found, expected);
    unlink(path);
    struct cause cause;
    assert_int_equal(secret_sha256_file(path, found, &cause), ERR_IO);
    assert_non_null(strstr(cause.text, path));
    assert_int_equal(secret_sha256_file("/tmp", found, &cause), ERR_IO);
}

static void equal_means_equal(void **state)
{
    (void)state;
    assert_true(secret_equal("", ""));
    assert_true(secret_equal("token", "token"));
    assert_false(secret_equal("token", "tokem"));
    assert_false(secret_equal("token", "toke"));
    assert_false(secret_equal("", "x"));
    char one[SECRET_TOKEN_SIZE], other[SECRET_TOKEN_SIZE];
    secret_new_token(one);
    for (size_t i = 0; i < sizeof one - 1; i++) {
        memcpy(other, one, sizeof one);
        other[i] = one[i] == 'a' ? 'b' : 'a';
        assert_false(secret_equal(one, other));
    }
}

static void random_numbers_stay_below_their_bound(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        unsigned number = secret_random(3);
        assert_true(number < 3);
        seen |= 1u << number;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(secret_random(1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_tokens_are_hexadecimal_and_never_the_same),
        cmocka_unit_test(hashes_are_sha256),
        cmocka_unit_test(file_hash_is_that_of_its_bytes),
        cmocka_unit_test(equal_means_equal),
        cmocka_unit_test(random_numbers_stay_below_their_bound),
    };
    return cmocka_run_group_tests_name("secret", tests, start, NULL);
}
