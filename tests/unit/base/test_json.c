/* SPDX-License-Identifier: MIT
 *
 * Strict JSON: what is refused, what is kept, numbers, ownership.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/buf.h"
#include "server/base/json.h"

static enum err parse(const char *text, size_t len, struct json **out, struct cause *cause)
{
    return json_parse(text, len, &json_limits_wire, out, cause);
}

static const struct {
    const char *text, *printed;
} good[] = {
    {"null", "null"},
    {" true ", "true"},
    {"\t\r\n false", "false"},
    {"0", "0"},
    {"-0", "-0"},
    {"-12", "-12"},
    {"1.0", "1"},
    {"1e3", "1000"},
    {"1E+2", "100"},
    {"0.1", "0.1"},
    {"1e-3", "0.001"},
    {"0.30000000000000004", "0.30000000000000004"},
    {"9007199254740991", "9007199254740991"},
    {"-9007199254740991", "-9007199254740991"},
    {"123456789012345", "123456789012345"},
    {"1e22", "1e+22"},
    {"5e-324", "4.94065645841247e-324"},
    {"\"\"", "\"\""},
    {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u00e9\\u20AC\\ud83d\\udd11\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x94\x91\""},
    {"\"\x7F\"", "\"\\u007f\""},
    {"[]", "[]"},
    {"[ 1 , [ ] , { } ]", "[1,[],{}]"},
    {"{ \"b\" : 1 , \"a\" : [ \"x\" ] , \"\" : null }", "{\"b\":1,\"a\":[\"x\"],\"\":null}"},
    {"{\"a\":{\"a\":1},\"b\":{\"a\":2}}", "{\"a\":{\"a\":1},\"b\":{\"a\":2}}"},
    {"{\"\xC3\x84\":1,\"\xC3\xA4\":2}", "{\"\xC3\x84\":1,\"\xC3\xA4\":2}"},
};

static const char *const bad[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "-",
    "1e",
    "1e+",
    "0x10",
    "1e999",
    "-1e999",
    "1_000",
    "'a'",
    "\"",
    "\"a",
    "\"\\x41\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\",
    "\"a\nb\"",
    "\"\t\"",
    "\"\x1F\"",
    "\"\\u0000\"",
    "\"admin\\u0000x\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\ud800\"",
    "\"\\udc00\"",
    "\"\\udc00\\ud800\"",
    "\"\xFF\"",
    "\"\xC0\x80\"",
    "\"\xED\xA0\x80\"",
    "\"\xE2\x82\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    "{} {}",
    "[] x",
    "1 2",
    "null,",
    "\xEF\xBB\xBF{}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"A\":2}",
    "{\"ab\":1,\"x\":2,\"aB\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "[{\"x\":{\"b\":1,\"B\":2}}]",
    "/**/1",
    "// x\n1",
    "\v1",
    "\f1",
    "\xC2\xA0[]",
    "{\"\":1,\"\":2}",
    "0.1234567890123456789012345678901234567890123456789012345678901234"};

static void well_formed_texts_print_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct json *json = NULL;
        assert_int_equal(parse(good[i].text, strlen(good[i].text), &json, NULL), ERR_OK);
        char *printed = json_print(json);
        assert_string_equal(printed, good[i].printed);
        free(printed);
        json_free(json);
    }
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct json *json = NULL;
        struct cause cause = {{0}};
        if (parse(bad[i], strlen(bad[i]), &json, &cause) != ERR_BAD_INPUT)
            fail_msg("taken: %s", bad[i]);
        assert_null(json);
        assert_true(cause.text[0] != '\0');
    }
}

static void raw_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } refused[] = {{"\0", 1},    {"{}\0", 3},         {"\"a\0b\"", 5},
                   {"[1\0]", 4}, {"{}\0garbage", 10}, {"\"\\\0\"", 4}};
    struct json *json = NULL;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(parse(refused[i].text, refused[i].len, &json, NULL), ERR_BAD_INPUT);
}

static void cause_names_the_byte(void **state)
{
    (void)state;
    struct json *json = NULL;
    struct cause cause;
    parse("{\"a\":1 x", 8, &json, &cause);
    assert_non_null(strstr(cause.text, "at byte 7"));
    parse("{\"name\":1,\"Name\":2}", 19, &json, &cause);
    assert_non_null(strstr(cause.text, "\"Name\" is there twice"));
}

/* `open` and `close` `levels` times around nothing. */
static enum err parse_nested(unsigned levels, const struct json_limits *limits)
{
    char text[128];
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    struct json *json = NULL;
    enum err err = json_parse(text, (size_t)2 * levels, limits, &json, NULL);
    json_free(json);
    return err;
}

static void limits_are_exact(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(16, &json_limits_wire), ERR_OK);
    assert_int_equal(parse_nested(17, &json_limits_wire), ERR_BAD_INPUT);
    char *text = malloc(65537);
    assert_non_null(text);
    memset(text, ' ', 65537);
    text[0] = '1';
    struct json *json = NULL;
    assert_int_equal(parse(text, 65537, &json, NULL), ERR_TOO_LARGE);
    assert_int_equal(parse(text, 65536, &json, NULL), ERR_OK);
    json_free(json);
    free(text);
    json = NULL;
    const struct json_limits few = {.bytes = 100, .levels = 3, .keys = 3};
    const char *three = "[{\"a\":{\"b\":1}},{\"a\":2}]";
    assert_int_equal(json_parse(three, strlen(three), &few, &json, NULL), ERR_OK);
    json_free(json);
    json = NULL;
    const char *four = "[{\"a\":{\"b\":1}},{\"a\":2,\"b\":3}]";
    assert_int_equal(json_parse(four, strlen(four), &few, &json, NULL), ERR_BAD_INPUT);
    assert_null(json);
}

/* An object of `count` keys "k0", "k1", ..., the last one named `last`. */
static char *object_of(unsigned count, const char *last)
{
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    buf_add_str(&buf, "{");
    for (unsigned i = 0; i + 1 < count; i++)
        buf_addf(&buf, "\"k%u\":%u,", i, i);
    buf_addf(&buf, "\"%s\":0}", last);
    char *text = buf_take(&buf);
    assert_non_null(text);
    return text;
}

static void doubled_keys_are_found_in_large_objects(void **state)
{
    (void)state;
    static const struct {
        const char *last;
        enum err err;
    } pairs[] = {{"last", ERR_OK}, {"k77", ERR_BAD_INPUT}, {"K99998", ERR_BAD_INPUT}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = object_of(100000, pairs[i].last);
        struct json *json = NULL;
        assert_int_equal(json_parse(text, strlen(text), &json_limits_file, &json, NULL),
                         pairs[i].err);
        json_free(json);
        free(text);
    }
}

static void members_are_found_by_exact_name(void **state)
{
    (void)state;
    struct json *json = NULL;
    const char *text = "{\"a\":\"x\",\"b\":[1,2],\"c\":true,\"d\":1.5}";
    assert_int_equal(parse(text, strlen(text), &json, NULL), ERR_OK);
    assert_string_equal(json_str(json_get(json, "a")), "x");
    assert_null(json_get(json, "A"));
    assert_null(json_get(json_get(json, "a"), "a"));
    assert_null(json_get(NULL, "a"));
    assert_null(json_str(json_get(json, "b")));
    assert_null(json_str(NULL));
    assert_true(json_bool(json_get(json, "c")));
    assert_false(json_bool(json_get(json, "a")));
    assert_true(json_num(json_get(json, "d")) == 1.5);
    assert_true(json_num(json_get(json, "a")) == 0);
    assert_int_equal(json_count(json), 4);
    assert_int_equal(json_count(json_get(json, "b")), 2);
    assert_string_equal(json_name(json_first(json)), "a");
    assert_string_equal(json_name(json_next(json_first(json))), "b");
    assert_null(json_name(json_first(json_get(json, "b"))));
    assert_null(json_next(json_get(json, "d")));
    assert_null(json_first(json_get(json, "c")));
    json_free(json);
    json_free(NULL);
}

static void whole_numbers_are_those_that_a_double_holds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        int64_t number;
    } pairs[] = {
        {"0", true, 0},
        {"-5", true, -5},
        {"1e3", true, 1000},
        {"9007199254740991", true, INT64_C(9007199254740991)},
        {"-9007199254740991", true, INT64_C(-9007199254740991)},
        {"9007199254740992", false, 0},
        {"1.5", false, 0},
        {"1e300", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"null", false, 0},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct json *json = NULL;
        int64_t number = 42;
        assert_int_equal(parse(pairs[i].text, strlen(pairs[i].text), &json, NULL), ERR_OK);
        assert_int_equal(json_int(json, &number), pairs[i].whole);
        assert_true(number == (pairs[i].whole ? pairs[i].number : 42));
        json_free(json);
    }
}

static void a_copy_outlives_what_it_was_made_from(void **state)
{
    (void)state;
    const char *text = "{\"text\":\"a\\\"\\n\",\"n\":9007199254740991,\"yes\":true,"
                       "\"list\":[1.25,null,false]}";
    struct json *object = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json_limits_wire, &object, NULL), ERR_OK);
    struct json *copy = json_copy(object);
    json_free(object);
    char *printed = json_print(copy);
    assert_string_equal(printed, text);
    free(printed);
    json_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_texts_print_back),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(raw_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(cause_names_the_byte),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(doubled_keys_are_found_in_large_objects),
        cmocka_unit_test(members_are_found_by_exact_name),
        cmocka_unit_test(whole_numbers_are_those_that_a_double_holds),
        cmocka_unit_test(a_copy_outlives_what_it_was_made_from),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
