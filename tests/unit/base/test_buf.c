/* SPDX-License-Identifier: MIT
 *
 * Bounded buffers: limits, sticky failures, ownership, JSON strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/buf.h"

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100000);
    assert_null(buf.data);
    for (int i = 0; i < 10000; i++) {
        buf_addf(&buf, "%d,", i % 10);
        assert_int_equal(buf.data[buf.len], '\0');
    }
    assert_int_equal(buf.len, 20000);
    assert_int_equal(buf_error(&buf), ERR_OK);
    assert_memory_equal(buf.data, "0,1,2,", 6);
    buf_free(&buf);
    assert_null(buf.data);
}

static void takes_its_limit_exactly_and_not_one_byte_more(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    buf_add(&buf, "abcde", 5);
    assert_int_equal(buf_error(&buf), ERR_OK);
    buf_add(&buf, "", 0);
    assert_int_equal(buf_error(&buf), ERR_OK);
    buf_addf(&buf, "%c", 'f');
    assert_int_equal(buf_error(&buf), ERR_TOO_LARGE);
    assert_string_equal(buf.data, "abcde");
    buf_free(&buf);
}

static void first_failure_sticks_and_nothing_is_added_in_part(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 6);
    buf_add_str(&buf, "abc");
    buf_addf(&buf, "%s", "defg");
    buf_add_str(&buf, "d");
    assert_string_equal(buf.data, "abc");
    assert_int_equal(buf_error(&buf), ERR_TOO_LARGE);
    assert_null(buf_take(&buf));
    assert_null(buf.data);
    buf_free(&buf);
}

static void taking_gives_the_text_away(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_addf(&buf, "%s-%d", "text", 7);
    char *text = buf_take(&buf);
    assert_string_equal(text, "text-7");
    free(text);
    assert_int_equal(buf.len, 0);
    assert_null(buf.data);
}

static void json_strings_are_escaped_and_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } pairs[] = {
        {"", "\"\""},
        {"plain text", "\"plain text\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\""},
        {"\x01\x1F\x7F", "\"\\u0001\\u001f\\u007f\""},
        {"t\xC3\xBCr \xF0\x9F\x94\x91", "\"t\xC3\xBCr \xF0\x9F\x94\x91\""},
        {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
        {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf buf;
        buf_init(&buf, 1000);
        buf_add_json_str(&buf, pairs[i].text);
        assert_string_equal(buf.data, pairs[i].json);
        buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(takes_its_limit_exactly_and_not_one_byte_more),
        cmocka_unit_test(first_failure_sticks_and_nothing_is_added_in_part),
        cmocka_unit_test(taking_gives_the_text_away),
        cmocka_unit_test(json_strings_are_escaped_and_repaired),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
