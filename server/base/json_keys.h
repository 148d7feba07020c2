/* SPDX-License-Identifier: MIT
 *
 * Finds doubled keys in a parsed tree; for json.c only.
 */
#ifndef SERVER_BASE_JSON_KEYS_H
#define SERVER_BASE_JSON_KEYS_H

#include "server/base/err.h"
#include "server/base/json.h"

/* ERR_BAD_INPUT when two members of one object have the same name, or names that differ only in
 * ASCII case; ERR_NO_MEMORY. */
enum err json_keys_check(const struct json *root, struct cause *cause);

#endif
