/* SPDX-License-Identifier: MIT
 *
 * Splitting payloads: pairs of input and expected words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actions/words.h"

static void splits_at_runs_of_spaces(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *words; /* joined by | */
    } pairs[] = {
        {"lock", "lock"},
        {"lock device app", "lock|device|app"},
        {"  lock   device  ", "lock|device"},
        {"lock * app 2020-07-31 11:03:20.123456", "lock|*|app|2020-07-31|11:03:20.123456"},
        {"find_stranger 1 app 20200731110320", "find_stranger|1|app|20200731110320"},
        {"set {\"a\": 1}", "set|{\"a\":|1}"},
        {"t\xC3\xBCr \xE2\x82\xAC \xF0\x9F\x94\x91", "t\xC3\xBCr|\xE2\x82\xAC|\xF0\x9F\x94\x91"},
        /* Only 0x20 separates: a no-break space belongs to its word. */
        {"a\xC2\xA0z b", "a\xC2\xA0z|b"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct words words;
        char joined[256] = "";
        assert_int_equal(words_split(pairs[i].payload, strlen(pairs[i].payload), &words), ERR_OK);
        size_t at = 0;
        for (size_t w = 0; w < words.count; w++) {
            if (w)
                joined[at++] = '|';
            memcpy(joined + at, words.word[w], strlen(words.word[w]) + 1);
            at += strlen(words.word[w]);
        }
        assert_string_equal(joined, pairs[i].words);
    }
}

static void rest_is_the_payload_from_that_word_on(void **state)
{
    (void)state;
    struct words words;
    const char *payload = "  data key  {\"a\":  1}  ";
    assert_int_equal(words_split(payload, strlen(payload), &words), ERR_OK);
    assert_int_equal(words.count, 4);
    assert_string_equal(words.rest[0], "data key  {\"a\":  1}");
    assert_string_equal(words.rest[2], "{\"a\":  1}");
    assert_string_equal(words.rest[3], "1}");
    assert_string_equal(words.word[2], "{\"a\":");
}

static void refuses_what_is_no_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } refused[] = {
        {"", 0},         {"   ", 3},          {"a\0b", 3},     {"lock\n", 5},
        {"a\tb", 3},     {"a\x7F", 2},        {"\xC2\x85", 2}, {"\xFF", 1},
        {"\xC0\xAF", 2}, {"\xED\xA0\x80", 3}, {"\xE2\x82", 2}, {"a \xF5\x80\x80\x80", 6},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct words words = {.count = 7};
        assert_int_equal(words_split(refused[i].bytes, refused[i].len, &words), ERR_BAD_INPUT);
        assert_int_equal(words.count, 0);
    }
}

static void takes_the_largest_payload_and_refuses_one_byte_more(void **state)
{
    (void)state;
    char payload[WORDS_MAX_BYTES + 1];
    memset(payload, 'a', sizeof payload);
    struct words words;
    assert_int_equal(words_split(payload, WORDS_MAX_BYTES, &words), ERR_OK);
    assert_int_equal(words.count, 1);
    assert_int_equal(strlen(words.word[0]), WORDS_MAX_BYTES);
    assert_int_equal(words_split(payload, WORDS_MAX_BYTES + 1, &words), ERR_TOO_LARGE);
    assert_int_equal(words.count, 0);
}

static void takes_the_most_words_and_refuses_one_more(void **state)
{
    (void)state;
    char payload[2 * WORDS_MAX + 2];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = i % 2 ? ' ' : 'w';
    struct words words;
    assert_int_equal(words_split(payload, (size_t)2 * WORDS_MAX, &words), ERR_OK);
    assert_int_equal(words.count, WORDS_MAX);
    assert_string_equal(words.word[WORDS_MAX - 1], "w");
    assert_int_equal(words_split(payload, (size_t)2 * WORDS_MAX + 1, &words), ERR_TOO_LARGE);
    assert_int_equal(words.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_at_runs_of_spaces),
        cmocka_unit_test(rest_is_the_payload_from_that_word_on),
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(takes_the_largest_payload_and_refuses_one_byte_more),
        cmocka_unit_test(takes_the_most_words_and_refuses_one_more),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
