/* SPDX-License-Identifier: MIT
 *
 * The field walker over a table of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/fields.h"

struct thing {
    char name[8], note[32], password[16];
    int64_t port;
    bool on;
    int colour;
    struct field_list list;
    struct json *extra;
};

static const char *const colours[] = {"red", "green", NULL};

static bool no_digits(const char *text)
{
    return !strpbrk(text, "0123456789");
}

#define AT(member)                                                                                 \
    .offset = offsetof(struct thing, member), .size = sizeof(((struct thing *)0)->member)

static const struct field rows[] = {
    {.path = "name", .type = FIELD_TEXT, AT(name), .min = 1, .required = true},
    {.path = "inner.note",
     .type = FIELD_TEXT,
     AT(note),
     .fallback = "\"none\"",
     .valid = no_digits,
     .expected = "a text without digits"},
    {.path = "inner.password", .type = FIELD_TEXT, AT(password), .secret = true},
    {.path = "inner.deep.port", .type = FIELD_INT, AT(port), .min = -1, .max = 99, .fallback = "7"},
    {.path = "on", .type = FIELD_BOOL, AT(on), .fallback = "true"},
    {.path = "colour",
     .type = FIELD_CHOICE,
     AT(colour),
     .choices = colours,
     .fallback = "\"green\""},
    {.path = "list", .type = FIELD_LIST, AT(list), .fallback = "[\"a\",\"b\"]", .valid = no_digits},
    {.path = "extra", .type = FIELD_JSON, AT(extra), .fallback = "{\"x\":1}"},
    {.path = NULL},
};

struct fixture {
    struct thing thing;
    struct faults faults;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    memset(&fixture->thing, 0xAA, sizeof fixture->thing);
    fields_default(rows, &fixture->thing);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    fields_free(rows, &fixture->thing);
    assert_null(fixture->thing.extra);
    free(fixture);
    return 0;
}

static bool from_json(struct fixture *fixture, const char *text)
{
    struct json *json = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json_limits_wire, &json, NULL), ERR_OK);
    fixture->faults.count = 0;
    bool good = fields_from_json(rows, json, "body", &fixture->thing, &fixture->faults);
    json_free(json);
    return good;
}

static bool from_text(struct fixture *fixture, const char *path, const char *text)
{
    fixture->faults.count = 0;
    return fields_from_text(rows, path, text, "--set", &fixture->thing, &fixture->faults);
}

static void defaults_are_set_in_any_memory(void **state)
{
    struct fixture *fixture = *state;
    assert_string_equal(fixture->thing.name, "");
    assert_string_equal(fixture->thing.note, "none");
    assert_int_equal(fixture->thing.port, 7);
    assert_true(fixture->thing.on);
    assert_int_equal(fixture->thing.colour, 1);
    assert_int_equal(fixture->thing.list.count, 2);
    assert_string_equal(fixture->thing.list.item[1], "b");
    assert_true(json_num(json_get(fixture->thing.extra, "x")) == 1);
}

static void object_fills_the_struct(void **state)
{
    struct fixture *fixture = *state;
    assert_true(from_json(fixture, "{\"name\":\"seven77\",\"inner\":{\"note\":\"\",\"deep\":"
                                   "{\"port\":-1}},\"on\":false,\"colour\":\"red\",\"list\":[],"
                                   "\"extra\":{\"y\":[{}]}}"));
    assert_string_equal(fixture->thing.name, "seven77");
    assert_string_equal(fixture->thing.note, "");
    assert_int_equal(fixture->thing.port, -1);
    assert_false(fixture->thing.on);
    assert_int_equal(fixture->thing.colour, 0);
    assert_int_equal(fixture->thing.list.count, 0);
    assert_null(json_get(fixture->thing.extra, "x"));
    assert_int_equal(json_count(json_get(fixture->thing.extra, "y")), 1);
}

static void each_mistake_is_a_sentence_and_leaves_the_member(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *json, *fault;
    } pairs[] = {
        {"{}",
         "body: name is missing; it must be a text of 1 to 7 bytes without control characters"},
        {"{\"name\":null}", "body: name must be a text of 1 to 7 bytes without control characters, "
                            "not null"},
        {"{\"name\":\"\"}", "body: name must be a text of 1 to 7 bytes without control characters, "
                            "not \"\""},
        {"{\"name\":\"eight888\"}", "body: name must be a text of 1 to 7 bytes without control "
                                    "characters, not \"eight888\""},
        {"{\"name\":\"a\\nb\"}", "body: name must be a text of 1 to 7 bytes without control "
                                 "characters, not \"a\\nb\""},
        {"{\"name\":\"a\",\"inner\":{\"note\":\"n0\"}}",
         "body: inner.note must be a text without digits, not \"n0\""},
        {"{\"name\":\"a\",\"inner\":{\"password\":\"0123456789abcdef\"}}",
         "body: inner.password must be a text of at most 15 bytes without control characters"},
        {"{\"name\":\"a\",\"inner\":{\"deep\":{\"port\":100}}}",
         "body: inner.deep.port must be a whole number from -1 to 99, not 100"},
        {"{\"name\":\"a\",\"inner\":{\"deep\":{\"port\":1.5}}}",
         "body: inner.deep.port must be a whole number from -1 to 99, not 1.5"},
        {"{\"name\":\"a\",\"inner\":{\"deep\":{\"port\":\"7\"}}}",
         "body: inner.deep.port must be a whole number from -1 to 99, not \"7\""},
        {"{\"name\":\"a\",\"inner\":{\"deep\":7}}", "body: inner.deep must be an object"},
        {"{\"name\":\"a\",\"inner\":{\"deeper\":7}}",
         "body: inner.deeper is no key that is known here"},
        {"{\"name\":\"a\",\"inner.note\":\"x\"}", "body: inner.note is no key that is known here"},
        {"{\"name\":\"a\",\"on\":1}", "body: on must be true or false, not 1"},
        {"{\"name\":\"a\",\"colour\":\"blue\"}",
         "body: colour must be one of \"red\", \"green\", not \"blue\""},
        {"{\"name\":\"a\",\"colour\":0}", "body: colour must be one of \"red\", \"green\", not 0"},
        {"{\"name\":\"a\",\"list\":[\"a\",1]}",
         "body: list must be a list of at most 16 texts of 1 to 135 bytes, not [\"a\",1]"},
        {"{\"name\":\"a\",\"list\":[\"1\"]}",
         "body: list must be a list of at most 16 texts of 1 to 135 bytes, not [\"1\"]"},
        {"{\"name\":\"a\",\"extra\":[]}", "body: extra must be an object, not []"},
        {"[]", "body: this must be a JSON object"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_false(from_json(fixture, pairs[i].json));
        assert_int_equal(fixture->faults.count, 1);
        assert_string_equal(fixture->faults.text[0], pairs[i].fault);
        assert_int_equal(fixture->thing.port, 7);
        assert_int_equal(fixture->thing.list.count, 2);
        assert_non_null(json_get(fixture->thing.extra, "x"));
    }
}

static void texts_are_read_by_the_type_of_their_row(void **state)
{
    struct fixture *fixture = *state;
    assert_true(from_text(fixture, "name", "true"));
    assert_string_equal(fixture->thing.name, "true");
    assert_true(from_text(fixture, "inner.deep.port", "-1"));
    assert_int_equal(fixture->thing.port, -1);
    assert_true(from_text(fixture, "on", "false"));
    assert_false(fixture->thing.on);
    assert_true(from_text(fixture, "colour", "red"));
    assert_int_equal(fixture->thing.colour, 0);
    assert_true(from_text(fixture, "list", "[\"z\"]"));
    assert_string_equal(fixture->thing.list.item[0], "z");
    assert_true(from_text(fixture, "extra", "{\"q\":2}"));
    assert_true(json_num(json_get(fixture->thing.extra, "q")) == 2);
    static const char *const refused[][2] = {
        {"inner.deep.port", ""},
        {"inner.deep.port", "-"},
        {"inner.deep.port", "+1"},
        {"inner.deep.port", "1 "},
        {"inner.deep.port", "1e1"},
        {"inner.deep.port", "100"},
        {"on", "TRUE"},
        {"on", "1"},
        {"colour", "\"red\""},
        {"list", "z"},
        {"list", "[\"z\"] x"},
        {"extra", "{\"a\":1,\"a\":2}"},
        {"inner", "{}"},
        {"nothing", "x"},
        {"", "x"},
        {"name", "\xFF"},
        {"inner.deep.port", "-99999999999999999999999999999"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (from_text(fixture, refused[i][0], refused[i][1]))
            fail_msg("taken: %s=%s", refused[i][0], refused[i][1]);
        assert_int_equal(fixture->faults.count, 1);
    }
}

static void secrets_are_not_shown(void **state)
{
    struct fixture *fixture = *state;
    assert_false(from_text(fixture, "inner.password", "much too long for that"));
    assert_null(strstr(fixture->faults.text[0], "much"));
}

static void more_mistakes_than_places_are_counted(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < FAULTS_MAX + 5; i++)
        faults_add(&fixture->faults, "%0400d", i);
    assert_int_equal(fixture->faults.count, FAULTS_MAX + 5);
    assert_int_equal(strlen(fixture->faults.text[FAULTS_MAX - 1]),
                     sizeof fixture->faults.text[0] - 1);
}

static void long_wrong_values_are_cut(void **state)
{
    struct fixture *fixture = *state;
    char text[1000];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(from_text(fixture, "name", text));
    const char *fault = fixture->faults.text[0];
    assert_true(strlen(fault) < 200);
    assert_string_equal(fault + strlen(fault) - 4, "y...");
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(defaults_are_set_in_any_memory),
        UNIT(object_fills_the_struct),
        UNIT(each_mistake_is_a_sentence_and_leaves_the_member),
        UNIT(texts_are_read_by_the_type_of_their_row),
        UNIT(secrets_are_not_shown),
        UNIT(more_mistakes_than_places_are_counted),
        UNIT(long_wrong_values_are_cut),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
