/* SPDX-License-Identifier: MIT
 *
 * Field tables: one row a field of a struct, with type, bounds and help. One walker checks a JSON
 * object (or a single text value) against the table and fills the struct. Configuration and request
 * bodies both use it, so there is one way to say "a whole number from 1 to 60".
 */
#ifndef SERVER_BASE_FIELDS_H
#define SERVER_BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/json.h"

enum field_type {
    FIELD_TEXT,   /* char[size]: UTF-8 without control characters, fewer than `size` bytes */
    FIELD_INT,    /* int64_t in [min, max] */
    FIELD_BOOL,   /* bool */
    FIELD_CHOICE, /* int: index into `choices` */
    FIELD_LIST,   /* struct field_list: texts */
    FIELD_JSON    /* struct json *: any object, owned by the struct */
};

#define FIELD_LIST_MAX  16
#define FIELD_ITEM_SIZE 136
struct field_list {
    int count;
    char item[FIELD_LIST_MAX][FIELD_ITEM_SIZE];
};

struct field {
    const char *path; /* dotted: "http.port" is member "port" of member "http" */
    enum field_type type;
    size_t offset; /* of the member in the struct */
    size_t size;   /* of the member; FIELD_TEXT only */
    int64_t min, max;
    const char *const *choices; /* NULL-ended */
    bool required;
    bool secret;          /* its value is never printed */
    const char *fallback; /* JSON text of the default; NULL: none (empty, 0, false) */
    const char *help;     /* one sentence */
    /* A check beyond type and bounds, on the text value or each item; NULL: none. Says what was
     * expected. */
    bool (*valid)(const char *text);
    const char *expected; /* for messages: "an address such as 127.0.0.1"; NULL: made from type and
                             bounds */
};

/* Everything that is wrong, one sentence each, in one list. */
#define FAULTS_MAX 32
struct faults {
    int count; /* may be larger than FAULTS_MAX; what is over is only counted */
    char text[FAULTS_MAX][256];
};
void faults_add(struct faults *faults, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets every field to its default. `rows` ends with a row whose path is NULL. */
void fields_default(const struct field *rows, void *target);
/* Takes over what `object` says; unknown keys, wrong types, values out of bounds and missing
 * required fields become faults that name the key and what was expected. True when there was none.
 * `source` starts each message
 * ("config.json"). */
bool fields_from_json(const struct field *rows, const struct json *object, const char *source,
                      void *target, struct faults *faults);
/* The same for one key given as text (command line, environment): numbers, true/false, choices and
 * texts as they are, lists and objects as JSON. */
bool fields_from_text(const struct field *rows, const char *path, const char *text,
                      const char *source, void *target, struct faults *faults);
const struct field *fields_find(const struct field *rows, const char *path);
/* What a value of this row must be, for messages and documents: "a whole number from 0 to 65535".
 */
const char *field_expected(const struct field *row, char *out, size_t size);
/* Frees what the struct owns (FIELD_JSON members). */
void fields_free(const struct field *rows, void *target);

#endif
