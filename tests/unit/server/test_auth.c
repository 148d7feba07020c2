/* SPDX-License-Identifier: MIT
 *
 * Who asks over HTTP, on a real turn and registry with a keeper that keeps at once.
 */
#include "server/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static struct turn *turn;
static struct clock clock_now;

static void keep(void *owner, struct batch *batch)
{
    (void)owner;
    (void)batch;
}

static int setup(void **state)
{
    (void)state;
    struct turn_keeper keeper = {.keep = keep, .reload = NULL};
    assert_int_equal(secret_init(), ERR_OK);
    clock_init_system(&clock_now);
    turn = turn_new(registry_new(), &keeper, &clock_now);
    return turn ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    turn_free(turn);
    return 0;
}

static struct auth_input from(const char *authorization)
{
    return (struct auth_input){.authorization = authorization, .peer = "192.0.2.7", .now_at = NOW};
}

static void make(enum token_kind kind, int64_t ttl_ms, char header[static 80],
                 char secret[static SECRET_TOKEN_SIZE])
{
    assert_int_equal(auth_token_create(turn, kind, "ann", ROLE_MEMBER, NOW, ttl_ms, secret),
                     ERR_OK);
    snprintf(header, 80, "Bearer %s", secret);
}

static void a_bearer_token_says_who_asks(void **state)
{
    (void)state;
    char header[80], secret[SECRET_TOKEN_SIZE];
    struct caller caller;
    make(TOKEN_BEARER, 0, header, secret);
    struct auth_input input = from(header);
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_OK);
    assert_string_equal(caller.name, "ann");
    assert_int_equal(caller.role, ROLE_MEMBER);
    assert_string_equal(caller.source, "192.0.2.7");
    header[0] = 'b';
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_OK);
}

static void only_the_hash_is_kept(void **state)
{
    (void)state;
    char header[80], secret[SECRET_TOKEN_SIZE], hash[SECRET_SHA256_SIZE];
    make(TOKEN_BEARER, 0, header, secret);
    secret_sha256(secret, strlen(secret), hash);
    const struct token *token = registry_token(turn_registry(turn), hash);
    assert_non_null(token);
    assert_null(strstr((const char *)token->name, secret));
    assert_int_equal(strlen(token->prefix), 8);
    assert_memory_equal(token->prefix, secret, 8);
}

static void wrong_missing_and_expired_tokens_are_nobody(void **state)
{
    (void)state;
    char header[80], secret[SECRET_TOKEN_SIZE];
    struct caller caller;
    make(TOKEN_BEARER, 10, header, secret);
    static const char *const wrong[] = {NULL, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct auth_input input = from(wrong[i]);
        assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
        assert_int_equal(caller.role, ROLE_NONE);
    }
    struct auth_input input = from(header);
    input.now_at = NOW + 10;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
    /* A wrong token is an error also beside a good session. */
    make(TOKEN_SESSION, 0, header, secret);
    input = from("Bearer x");
    input.cookie = secret;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
    input.authorization = NULL;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_OK);
}

static void a_code_opens_one_session_once(void **state)
{
    (void)state;
    char header[80], code[SECRET_TOKEN_SIZE], session[SECRET_TOKEN_SIZE];
    struct caller caller;
    make(TOKEN_CODE, 1000, header, code);
    struct auth_input as_bearer = from(header);
    assert_int_equal(auth_identify(turn_registry(turn), &as_bearer, &caller), ERR_UNAUTHORIZED);
    assert_int_equal(auth_code_exchange(turn, code, NOW, session), ERR_OK);
    assert_int_equal(auth_code_exchange(turn, code, NOW, session), ERR_UNAUTHORIZED);
    struct auth_input input = from(NULL);
    input.cookie = session;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_OK);
    assert_string_equal(caller.way, "page");
    assert_int_equal(auth_session_end(turn, session), ERR_OK);
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
}

static void an_old_code_opens_nothing(void **state)
{
    (void)state;
    char header[80], code[SECRET_TOKEN_SIZE], session[SECRET_TOKEN_SIZE];
    make(TOKEN_CODE, 1000, header, code);
    assert_int_equal(auth_code_exchange(turn, code, NOW + 1000, session), ERR_UNAUTHORIZED);
}

static void trusted_addresses_count_only_on_the_old_addresses(void **state)
{
    (void)state;
    struct field_list trusted = {.count = 1, .item = {"192.0.2.0/24"}};
    struct caller caller;
    struct auth_input input = from(NULL);
    input.trusted = &trusted;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
    input.old_route = true;
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_OK);
    assert_int_equal(caller.role, ROLE_MEMBER);
    input.authorization = "Bearer wrong";
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
    input.authorization = NULL;
    input.peer = "198.51.100.1";
    assert_int_equal(auth_identify(turn_registry(turn), &input, &caller), ERR_UNAUTHORIZED);
}

static void rows_whose_time_is_over_are_removed(void **state)
{
    (void)state;
    char header[80], secret[SECRET_TOKEN_SIZE];
    make(TOKEN_SESSION, 5, header, secret);
    make(TOKEN_BEARER, 0, header, secret);
    auth_prune(turn, NOW + 5);
    assert_int_equal(registry_count(turn_registry(turn), REC_TOKEN), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bearer_token_says_who_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_hash_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_missing_and_expired_tokens_are_nobody, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_code_opens_one_session_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_code_opens_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(trusted_addresses_count_only_on_the_old_addresses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rows_whose_time_is_over_are_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
