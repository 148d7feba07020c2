/* SPDX-License-Identifier: MIT
 *
 * The look at a JSON text before the library sees it; for json.c only.
 */
#ifndef SERVER_BASE_JSON_SCAN_H
#define SERVER_BASE_JSON_SCAN_H

#include <stddef.h>

#include "server/base/err.h"
#include "server/base/json.h"

/* ERR_OK when `text` is exactly one value of RFC 8259 inside the limits, all strings are UTF-8
 * without NUL and lone surrogates, and all numbers are finite and at most 63 bytes long (cJSON cuts
 * longer ones). Doubled keys are not looked for. */
enum err json_scan(const char *text, size_t len, const struct json_limits *limits,
                   struct cause *cause);

#endif
