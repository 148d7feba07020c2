/* SPDX-License-Identifier: MIT
 *
 * One UTF-8 decoder for the log, the buffers, the names and JSON (RFC 3629: no surrogates, no
 * overlong forms, nothing above U+10FFFF). Pure.
 */
#ifndef SERVER_BASE_UTF8_H
#define SERVER_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at the start of `text` (1 to 4), its code point in *point; 0 when there is
 * no well-formed one in `len` bytes. */
size_t utf8_next(const void *text, size_t len, uint32_t *point);

#endif
