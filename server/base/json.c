/* SPDX-License-Identifier: MIT
 *
 * The strict wrapper: json_scan() looks at the text, cJSON builds the tree, json_keys_check() looks
 * at the tree. A `struct json` is a cJSON item seen from outside; nothing else knows that. Printing
 * is our own, since cJSON's rounds numbers to 15 digits (9007199254740991 comes out as
 * 9.00719925474099e+15).
 */
#include "server/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "server/base/buf.h"
#include "server/base/json_keys.h"
#include "server/base/json_scan.h"

#define JSON_WHOLE_MAX 9007199254740991.0 /* 2^53 - 1, RFC 7493 section 2.2 */

const struct json_limits json_limits_wire = {.bytes = 65536, .levels = 16, .keys = 4096};
const struct json_limits json_limits_file = {
    .bytes = (size_t)256 << 20, .levels = 20, .keys = 20000000};

static const cJSON *json_in(const struct json *json)
{
    return (const cJSON *)json;
}

static struct json *json_out(const cJSON *item)
{
    return (struct json *)(uintptr_t)item;
}

enum err json_parse(const char *text, size_t len, const struct json_limits *limits,
                    struct json **out, struct cause *cause)
{
    enum err err = json_scan(text, len, limits, cause);
    if (err)
        return err;
    /* After the scan, only memory can be missing. */
    struct json *root = json_out(cJSON_ParseWithLength(text, len));
    if (!root)
        return cause_set(cause, ERR_NO_MEMORY, "no memory for %zu bytes of JSON", len);
    err = json_keys_check(root, cause);
    if (err) {
        json_free(root);
        return err;
    }
    *out = root;
    return ERR_OK;
}

void json_free(struct json *json)
{
    cJSON_Delete((cJSON *)json);
}

enum json_type json_type(const struct json *json)
{
    const cJSON *item = json_in(json);
    if (cJSON_IsObject(item))
        return JSON_OBJECT;
    if (cJSON_IsArray(item))
        return JSON_ARRAY;
    if (cJSON_IsString(item))
        return JSON_STRING;
    if (cJSON_IsNumber(item))
        return JSON_NUMBER;
    return cJSON_IsBool(item) ? JSON_BOOL : JSON_NULL;
}

struct json *json_get(const struct json *object, const char *name)
{
    if (!cJSON_IsObject(json_in(object)))
        return NULL;
    return json_out(cJSON_GetObjectItemCaseSensitive(json_in(object), name));
}

struct json *json_first(const struct json *parent)
{
    return parent ? json_out(json_in(parent)->child) : NULL;
}

struct json *json_next(const struct json *child)
{
    return child ? json_out(json_in(child)->next) : NULL;
}

size_t json_count(const struct json *parent)
{
    size_t count = 0;
    for (const struct json *child = json_first(parent); child; child = json_next(child))
        count++;
    return count;
}

const char *json_name(const struct json *child)
{
    return child ? json_in(child)->string : NULL;
}

const char *json_str(const struct json *json)
{
    return cJSON_IsString(json_in(json)) ? json_in(json)->valuestring : NULL;
}

bool json_bool(const struct json *json)
{
    return cJSON_IsTrue(json_in(json)) != 0;
}

double json_num(const struct json *json)
{
    return cJSON_IsNumber(json_in(json)) ? json_in(json)->valuedouble : 0;
}

bool json_int(const struct json *json, int64_t *out)
{
    if (!cJSON_IsNumber(json_in(json)))
        return false;
    double number = json_in(json)->valuedouble;
    if (!(fabs(number) <= JSON_WHOLE_MAX) || trunc(number) != number)
        return false;
    *out = (int64_t)number;
    return true;
}

struct json *json_copy(const struct json *json)
{
    return json_out(cJSON_Duplicate(json_in(json), 1));
}

/* The shortest text that reads back as the same number. */
static void json_print_number(struct buf *buf, double number)
{
    if (fabs(number) <= JSON_WHOLE_MAX && trunc(number) == number &&
        !(number == 0 && signbit(number))) {
        buf_addf(buf, "%lld", (long long)number);
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_add_str(buf, text);
}

static void json_print_value(struct buf *buf, const struct json *json)
{
    enum json_type type = json_type(json);
    switch (type) {
    case JSON_NULL:
        buf_add_str(buf, "null");
        return;
    case JSON_BOOL:
        buf_add_str(buf, json_bool(json) ? "true" : "false");
        return;
    case JSON_NUMBER:
        json_print_number(buf, json_num(json));
        return;
    case JSON_STRING:
        buf_add_json_str(buf, json_str(json));
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    buf_add(buf, type == JSON_OBJECT ? "{" : "[", 1);
    const char *comma = "";
    for (const struct json *child = json_first(json); child; child = json_next(child)) {
        buf_add_str(buf, comma);
        comma = ",";
        if (type == JSON_OBJECT) {
            buf_add_json_str(buf, json_name(child));
            buf_add(buf, ":", 1);
        }
        json_print_value(buf, child);
    }
    buf_add(buf, type == JSON_OBJECT ? "}" : "]", 1);
}

char *json_print(const struct json *json)
{
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    json_print_value(&buf, json);
    return buf_take(&buf);
}
