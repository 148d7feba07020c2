/* SPDX-License-Identifier: MIT
 *
 * Strict JSON: whatever is accepted holds what the header promises, prints, and parses again to the
 * same.
 *
 * Sources: server/base/json.c server/base/json_scan.c server/base/json_keys.c server/base/buf.c
 * Sources: server/base/err.c server/base/names.c server/base/utf8.c
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/json.h"
#include "server/base/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_keys(const struct json *object)
{
    for (const struct json *a = json_first(object); a; a = json_next(a)) {
        assert(text_is_utf8(json_name(a), strlen(json_name(a))));
        for (const struct json *b = json_next(a); b; b = json_next(b))
            assert(strcasecmp(json_name(a), json_name(b)) != 0);
        assert(json_get(object, json_name(a)) == a);
    }
}

/* `level` is that of an array or object here, 1 for the root. */
static void check_value(const struct json *json, unsigned level)
{
    int64_t whole;
    switch (json_type(json)) {
    case JSON_STRING:
        assert(text_is_utf8(json_str(json), strlen(json_str(json))));
        return;
    case JSON_NUMBER:
        assert(isfinite(json_num(json)));
        if (json_int(json, &whole))
            assert((double)whole == json_num(json));
        return;
    case JSON_OBJECT:
        check_keys(json);
        break;
    case JSON_ARRAY:
        break;
    case JSON_NULL:
    case JSON_BOOL:
        assert(!json_first(json));
        return;
    }
    assert(level <= json_limits_wire.levels);
    size_t count = 0;
    for (const struct json *child = json_first(json); child; child = json_next(child), count++)
        check_value(child, level + 1);
    assert(count == json_count(json));
}

static void check_same(const struct json *a, const struct json *b)
{
    assert(json_type(a) == json_type(b) && json_count(a) == json_count(b));
    assert(json_bool(a) == json_bool(b) && json_num(a) == json_num(b));
    if (json_str(a))
        assert(strcmp(json_str(a), json_str(b)) == 0);
    const struct json *other = json_first(b);
    for (const struct json *child = json_first(a); child; child = json_next(child)) {
        if (json_name(child))
            assert(strcmp(json_name(child), json_name(other)) == 0);
        check_same(child, other);
        other = json_next(other);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *json = NULL, *again = NULL;
    struct cause cause = {{0}};
    const char *text = (const char *)data;
    enum err err = json_parse(text, size, &json_limits_wire, &json, &cause);
    if (err) {
        assert(!json && cause.text[0]);
        assert(err == ERR_BAD_INPUT || (err == ERR_TOO_LARGE && size > json_limits_wire.bytes));
        return 0;
    }
    assert(text_is_utf8(text, size) && !memchr(text, '\0', size));
    check_value(json, 1);
    char *printed = json_print(json);
    assert(printed);
    /* What prints can be longer than what came, so the wire's limit is not the one to hold. */
    assert(json_parse(printed, strlen(printed), &json_limits_file, &again, NULL) == ERR_OK);
    check_same(json, again);
    char *twice = json_print(again);
    assert(strcmp(printed, twice) == 0);
    free(twice);
    free(printed);
    json_free(again);
    json_free(json);
    return 0;
}
