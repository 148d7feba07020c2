/* SPDX-License-Identifier: MIT
 *
 * Strict JSON (RFC 8259, I-JSON RFC 7493) over cJSON; nobody else includes cJSON. Refused before
 * and after the library sees the text: more bytes, levels or keys than the limits, invalid UTF-8, a
 * raw control character, an escaped or raw NUL, lone surrogates, leading zeros and whatever else
 * cJSON lets through, numbers that are not finite, doubled keys (also when they differ only in
 * ASCII case), trailing bytes, a BOM.
 */
#ifndef SERVER_BASE_JSON_H
#define SERVER_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct json; /* one value and all below it; the root is owned by whoever parsed or made it */

struct json_limits {
    size_t bytes;
    unsigned levels;
    unsigned keys; /* of all objects together */
};
/* CONTRACT 1.6: 64 KB, 16 levels; 4096 keys. */
extern const struct json_limits json_limits_wire;
/* For files that the owner gives us (state, configuration): 256 MB, 20 million
 * keys, 20 levels: a value of 16 levels lies deeper in the document that carries it. */
extern const struct json_limits json_limits_file;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Parses all of `text`. On ERR_OK the caller owns *out (json_free). Else ERR_BAD_INPUT or
 * ERR_TOO_LARGE or ERR_NO_MEMORY, *out untouched, and `cause` (may be NULL) says what and at which
 * byte. */
enum err json_parse(const char *text, size_t len, const struct json_limits *limits,
                    struct json **out, struct cause *cause);
void json_free(struct json *json); /* NULL is fine; only for roots */

enum json_type json_type(const struct json *json);
/* The member of that exact name, NULL when it is none or `object` is no object (or NULL). */
struct json *json_get(const struct json *object, const char *name);
/* Children of an array or object in their order: first (NULL when empty), next (NULL at the end).
 */
struct json *json_first(const struct json *parent);
struct json *json_next(const struct json *child);
size_t json_count(const struct json *parent);
const char *json_name(const struct json *child); /* the member's name, NULL in an array */

const char *json_str(const struct json *json); /* NULL when it is no string */
bool json_bool(const struct json *json);       /* false when it is no boolean */
double json_num(const struct json *json);      /* 0 when it is no number */
/* False unless it is a whole number with |x| <= 2^53-1. */
bool json_int(const struct json *json, int64_t *out);

/* A deep copy, a root of its own; NULL when out of memory. */
struct json *json_copy(const struct json *json);
/* Compact text, owned by the caller (free()); NULL when out of memory. */
char *json_print(const struct json *json);

#endif
