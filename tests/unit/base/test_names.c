/* SPDX-License-Identifier: MIT
 *
 * Names, words, UTF-8 and bounded copies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/names.h"
#include "server/base/utf8.h"

static void utf8_is_judged_by_rfc3629(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2 ",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xE2\x82",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF0\x9F\x94",
                                      "\xFE",
                                      "\xFF",
                                      "ok\xFFok"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_true(text_is_utf8("a\0b", 3));
}

static void decoder_gives_the_code_point(void **state)
{
    (void)state;
    uint32_t point = 0;
    assert_int_equal(utf8_next("\xF0\x9F\x94\x91!", 5, &point), 4);
    assert_int_equal(point, 0x1F511);
    assert_int_equal(utf8_next("\xE2\x82\xAC", 3, &point), 3);
    assert_int_equal(point, 0x20AC);
    assert_int_equal(utf8_next("", 0, &point), 0);
}

static void control_characters_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool control;
    } pairs[] = {
        {"plain", 5, false},    {"a\0b", 3, true},
        {"\x1F", 1, true},      {"\x7F", 1, true},
        {"\xC2\x80", 2, true},  {"\xC2\x9F", 2, true},
        {"\xC2\xA0", 2, false}, {"\xE2\x80\xA8", 3, false},
        {"\xFF\n", 2, true},    {"\xFF", 1, false},
        {"", 0, false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(text_has_control(pairs[i].text, pairs[i].len), pairs[i].control);
}

static void names_of_strangers_are_judged(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "front-door", "todevice",   "a/b", "a$",
                                       "/", "t\xC3\xBCr", "\"quoted\"", "..",  "%s"};
    static const char *const bad[] = {"",
                                      "$SYS",
                                      "a b",
                                      " ",
                                      "a+",
                                      "#",
                                      "a/#",
                                      "a\n",
                                      "\x7F",
                                      "\xC2\x85",
                                      "\xFF",
                                      "a\xC0\xAF",
                                      "\xEF\xBF\xBF",
                                      "\xEF\xB7\x90",
                                      "\xF0\x9F\xBF\xBE"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(name_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(name_is_valid(bad[i], strlen(bad[i])));
    assert_false(name_is_valid("a\0b", 3));
    char longest[NAME_MAX_BYTES + 1];
    memset(longest, 'n', sizeof longest);
    assert_true(name_is_valid(longest, NAME_MAX_BYTES));
    assert_false(name_is_valid(longest, NAME_MAX_BYTES + 1));
}

static void words_are_lower_case_with_digits(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "lock", "find_stranger", "a1_", "z2"};
    static const char *const bad[] = {"", "Lock", "1a", "_a", "a-b", "a b", "\xC3\xBC", "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(word_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(word_is_valid(bad[i], strlen(bad[i])));
    assert_true(word_is_valid("abcdefghijklmnopqrstuvwxyz012345", 32));
    assert_false(word_is_valid("abcdefghijklmnopqrstuvwxyz0123456", 33));
}

static void copies_are_cut_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *copy;
    } pairs[] = {
        {"abc", 4, "abc"},
        {"abcd", 4, "abc"},
        {"a\xE2\x82\xAC", 5, "a\xE2\x82\xAC"},
        {"a\xE2\x82\xAC", 4, "a"},
        {"a\xE2\x82\xAC", 3, "a"},
        {"\xE2\x82\xAC", 3, ""},
        {"abc", 1, ""},
        {"", 4, ""},
        {"\xE2\x82\xAC\xE2\x82\xAC", 5, "\xE2\x82\xAC"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[8] = "zzzzzzz";
        text_copy(out, pairs[i].size, pairs[i].text, strlen(pairs[i].text));
        assert_string_equal(out, pairs[i].copy);
    }
    char untouched = 'z';
    text_copy(&untouched, 0, "abc", 3);
    assert_int_equal(untouched, 'z');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_judged_by_rfc3629),
        cmocka_unit_test(decoder_gives_the_code_point),
        cmocka_unit_test(control_characters_are_found),
        cmocka_unit_test(names_of_strangers_are_judged),
        cmocka_unit_test(words_are_lower_case_with_digits),
        cmocka_unit_test(copies_are_cut_between_characters),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
