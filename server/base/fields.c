/* SPDX-License-Identifier: MIT
 *
 * Walks values against a table of fields. Knows no key by name and prints nothing: what is wrong
 * becomes a sentence in `struct faults`.
 */
#include "server/base/fields.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/names.h"

#define FIELDS_PATH_MAX 192
#define FIELDS_SHOWN    60 /* bytes of a wrong value that are shown */

struct fields_walk {
    const struct field *rows;
    const char *source;
    void *target;
    struct faults *faults;
};

void faults_add(struct faults *faults, const char *format, ...)
{
    if (faults->count < FAULTS_MAX) {
        va_list args;
        va_start(args, format);
        char *text = faults->text[faults->count];
        char whole[2 * sizeof faults->text[0]];
        vsnprintf(whole, sizeof whole, format, args);
        text_copy(text, sizeof faults->text[0], whole, strlen(whole));
        va_end(args);
    }
    faults->count++;
}

static void *fields_member(const struct field *row, void *target)
{
    return (char *)target + row->offset;
}

const struct field *fields_find(const struct field *rows, const char *path)
{
    for (; rows->path; rows++)
        if (strcmp(rows->path, path) == 0)
            return rows;
    return NULL;
}

static void fields_expected_choice(const struct field *row, char *out, size_t size)
{
    struct buf buf;
    buf_init(&buf, size);
    for (const char *const *choice = row->choices; *choice; choice++) {
        buf_add_str(&buf, choice == row->choices ? "one of " : ", ");
        buf_add_json_str(&buf, *choice);
    }
    text_copy(out, size, buf.data ? buf.data : "", buf.len);
    buf_free(&buf);
}

const char *field_expected(const struct field *row, char *out, size_t size)
{
    if (row->expected) {
        text_copy(out, size, row->expected, strlen(row->expected));
        return out;
    }
    switch (row->type) {
    case FIELD_TEXT:
        snprintf(out, size, "a text of %s%zu bytes without control characters",
                 row->min > 0 ? "1 to " : "at most ", row->size - 1);
        break;
    case FIELD_INT:
        snprintf(out, size, "a whole number from %lld to %lld", (long long)row->min,
                 (long long)row->max);
        break;
    case FIELD_BOOL:
        snprintf(out, size, "true or false");
        break;
    case FIELD_CHOICE:
        fields_expected_choice(row, out, size);
        break;
    case FIELD_LIST:
        snprintf(out, size, "a list of at most %d texts of 1 to %d bytes", FIELD_LIST_MAX,
                 FIELD_ITEM_SIZE - 1);
        break;
    case FIELD_JSON:
        snprintf(out, size, "an object");
        break;
    }
    return out;
}

/* "config.json: http.port must be a whole number from 0 to 65535, not "abc"". */
static void fields_wrong(const struct fields_walk *walk, const struct field *row, const char *given)
{
    char expected[200], shown[FIELDS_SHOWN + 4];
    field_expected(row, expected, sizeof expected);
    if (row->secret) {
        faults_add(walk->faults, "%s: %s must be %s", walk->source, row->path, expected);
        return;
    }
    size_t len = strlen(given);
    text_copy(shown, FIELDS_SHOWN, given, len);
    if (strlen(shown) < len)
        memcpy(shown + strlen(shown), "...", 4);
    faults_add(walk->faults, "%s: %s must be %s, not %s", walk->source, row->path, expected, shown);
}

static bool fields_text_fits(const struct field *row, const char *text, size_t size)
{
    size_t len = strlen(text);
    return len < size && text_is_utf8(text, len) && !text_has_control(text, len) &&
           (!row->valid || row->valid(text));
}

static bool fields_set_text(const struct field *row, const char *text, void *target)
{
    if (!text || (row->min > 0 && !*text) || !fields_text_fits(row, text, row->size))
        return false;
    text_copy(fields_member(row, target), row->size, text, strlen(text));
    return true;
}

static bool fields_set_int(const struct field *row, int64_t number, void *target)
{
    if (number < row->min || number > row->max)
        return false;
    *(int64_t *)fields_member(row, target) = number;
    return true;
}

static bool fields_set_choice(const struct field *row, const char *text, void *target)
{
    for (int i = 0; text && row->choices[i]; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *(int *)fields_member(row, target) = i;
            return true;
        }
    }
    return false;
}

static bool fields_set_list(const struct field *row, const struct json *value, void *target)
{
    struct field_list *list = fields_member(row, target);
    if (json_type(value) != JSON_ARRAY || json_count(value) > FIELD_LIST_MAX)
        return false;
    for (const struct json *item = json_first(value); item; item = json_next(item)) {
        const char *text = json_str(item);
        if (!text || !*text || !fields_text_fits(row, text, FIELD_ITEM_SIZE))
            return false;
    }
    list->count = 0;
    for (const struct json *item = json_first(value); item; item = json_next(item))
        text_copy(list->item[list->count++], FIELD_ITEM_SIZE, json_str(item),
                  strlen(json_str(item)));
    return true;
}

static bool fields_set_json(const struct field *row, const struct json *value, void *target)
{
    if (json_type(value) != JSON_OBJECT)
        return false;
    struct json **member = fields_member(row, target);
    struct json *copy = json_copy(value);
    if (!copy)
        return false;
    json_free(*member);
    *member = copy;
    return true;
}

/* False when the value does not fit the row; the struct is then as before. */
static bool fields_set(const struct field *row, const struct json *value, void *target)
{
    int64_t number;
    switch (row->type) {
    case FIELD_TEXT:
        return fields_set_text(row, json_str(value), target);
    case FIELD_INT:
        return json_int(value, &number) && fields_set_int(row, number, target);
    case FIELD_BOOL:
        if (json_type(value) != JSON_BOOL)
            return false;
        *(bool *)fields_member(row, target) = json_bool(value);
        return true;
    case FIELD_CHOICE:
        return fields_set_choice(row, json_str(value), target);
    case FIELD_LIST:
        return fields_set_list(row, value, target);
    case FIELD_JSON:
        return fields_set_json(row, value, target);
    }
    return false;
}

static void fields_clear(const struct field *row, void *target)
{
    switch (row->type) {
    case FIELD_TEXT:
        memset(fields_member(row, target), 0, row->size);
        break;
    case FIELD_INT:
        *(int64_t *)fields_member(row, target) = 0;
        break;
    case FIELD_BOOL:
        *(bool *)fields_member(row, target) = false;
        break;
    case FIELD_CHOICE:
        *(int *)fields_member(row, target) = 0;
        break;
    case FIELD_LIST:
        memset(fields_member(row, target), 0, sizeof(struct field_list));
        break;
    case FIELD_JSON:
        *(struct json **)fields_member(row, target) = NULL;
        break;
    }
}

void fields_default(const struct field *rows, void *target)
{
    for (const struct field *row = rows; row->path; row++) {
        fields_clear(row, target);
        if (!row->fallback)
            continue;
        struct json *value = NULL;
        enum err err =
            json_parse(row->fallback, strlen(row->fallback), &json_limits_wire, &value, NULL);
        /* A default outside its own row is a mistake in the table; missing memory is not. */
        bool fits = !err && fields_set(row, value, target);
        assert(fits || err == ERR_NO_MEMORY || row->type == FIELD_JSON);
        (void)fits;
        json_free(value);
    }
}

/* Whether some row lies below `path`. */
static bool fields_is_group(const struct field *rows, const char *path)
{
    size_t len = strlen(path);
    for (; rows->path; rows++)
        if (strncmp(rows->path, path, len) == 0 && rows->path[len] == '.')
            return true;
    return false;
}

static void fields_walk_object(const struct fields_walk *walk, const char *prefix,
                               const struct json *object);

static void fields_walk_member(const struct fields_walk *walk, const char *prefix,
                               const struct json *value)
{
    char path[FIELDS_PATH_MAX];
    const char *name = json_name(value);
    snprintf(path, sizeof path, "%s%s%.80s", prefix, *prefix ? "." : "", name);
    /* A dot inside a name would read as a path of several names. */
    bool plain = !strchr(name, '.');
    const struct field *row = plain ? fields_find(walk->rows, path) : NULL;
    if (row) {
        if (!fields_set(row, value, walk->target)) {
            char *given = json_print(value);
            fields_wrong(walk, row, given ? given : "that");
            free(given);
        }
    } else if (plain && fields_is_group(walk->rows, path)) {
        if (json_type(value) == JSON_OBJECT)
            fields_walk_object(walk, path, value);
        else
            faults_add(walk->faults, "%s: %s must be an object", walk->source, path);
    } else {
        faults_add(walk->faults, "%s: %s is no key that is known here", walk->source, path);
    }
}

static void fields_walk_object(const struct fields_walk *walk, const char *prefix,
                               const struct json *object)
{
    for (const struct json *child = json_first(object); child; child = json_next(child))
        fields_walk_member(walk, prefix, child);
}

/* Whether the object says something at the row's path. */
static bool fields_is_given(const struct field *row, const struct json *object)
{
    const char *name = row->path;
    while (object) {
        char one[FIELDS_PATH_MAX];
        size_t len = strcspn(name, ".");
        text_copy(one, sizeof one, name, len);
        object = json_get(object, one);
        if (!name[len])
            return object != NULL;
        name += len + 1;
    }
    return false;
}

bool fields_from_json(const struct field *rows, const struct json *object, const char *source,
                      void *target, struct faults *faults)
{
    int before = faults->count;
    struct fields_walk walk = {.rows = rows, .source = source, .target = target, .faults = faults};
    if (json_type(object) != JSON_OBJECT) {
        faults_add(faults, "%s: this must be a JSON object", source);
        return false;
    }
    fields_walk_object(&walk, "", object);
    for (const struct field *row = rows; row->path; row++) {
        char expected[200];
        if (row->required && !fields_is_given(row, object))
            faults_add(faults, "%s: %s is missing; it must be %s", source, row->path,
                       field_expected(row, expected, sizeof expected));
    }
    return faults->count == before;
}

static bool fields_set_from_json_text(const struct field *row, const char *text, void *target)
{
    struct json *value = NULL;
    if (json_parse(text, strlen(text), &json_limits_wire, &value, NULL))
        return false;
    bool fits = fields_set(row, value, target);
    json_free(value);
    return fits;
}

static bool fields_set_int_text(const struct field *row, const char *text, void *target)
{
    const char *digits = text + (*text == '-');
    if (!*digits || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    return errno == 0 && fields_set_int(row, number, target);
}

static bool fields_set_from_text(const struct field *row, const char *text, void *target)
{
    switch (row->type) {
    case FIELD_TEXT:
        return fields_set_text(row, text, target);
    case FIELD_INT:
        return fields_set_int_text(row, text, target);
    case FIELD_CHOICE:
        return fields_set_choice(row, text, target);
    case FIELD_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return false;
        *(bool *)fields_member(row, target) = *text == 't';
        return true;
    case FIELD_LIST:
    case FIELD_JSON:
        return fields_set_from_json_text(row, text, target);
    }
    return false;
}

bool fields_from_text(const struct field *rows, const char *path, const char *text,
                      const char *source, void *target, struct faults *faults)
{
    struct fields_walk walk = {.rows = rows, .source = source, .target = target, .faults = faults};
    const struct field *row = fields_find(rows, path);
    if (!row) {
        faults_add(faults, "%s: %.80s is no key that is known here", source, path);
        return false;
    }
    if (fields_set_from_text(row, text, target))
        return true;
    struct buf quoted;
    buf_init(&quoted, FIELDS_PATH_MAX * 8);
    buf_addf(&quoted, "\"%.*s\"", FIELDS_PATH_MAX, text);
    fields_wrong(&walk, row, buf_error(&quoted) ? "that" : quoted.data);
    buf_free(&quoted);
    return false;
}

void fields_free(const struct field *rows, void *target)
{
    for (const struct field *row = rows; row->path; row++) {
        if (row->type != FIELD_JSON)
            continue;
        struct json **member = fields_member(row, target);
        json_free(*member);
        *member = NULL;
    }
}
