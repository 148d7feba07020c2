/* SPDX-License-Identifier: MIT
 *
 * What strangers may call things. Pure checks and text helpers; used before any name that came over
 * the wire is kept, published to, subscribed to or shown.
 */
#ifndef SERVER_BASE_NAMES_H
#define SERVER_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* CONTRACT 1.2: ids and topics in a hand-shake have at most 128 bytes. */
#define NAME_MAX_BYTES 128
#define NAME_SIZE      (NAME_MAX_BYTES + 1)

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms), NUL not counted as invalid here.
 */
bool text_is_utf8(const void *text, size_t len);
/* True when it holds a C0 or C1 control character, DEL or NUL. */
bool text_has_control(const char *text, size_t len);

/* An id or topic from a hand-shake (CONTRACT 1.2): 1 to 128 bytes of UTF-8 without control
 * characters, NUL, spaces, `+` or `#`, not starting with `$`. The same rule serves ids and topics,
 * since the old boards use one for the other. */
bool name_is_valid(const char *name, size_t len);
/* An action's word: [a-z][a-z0-9_]*, at most 32 bytes. */
bool word_is_valid(const char *word, size_t len);
/* Copies at most size - 1 bytes, cut at a whole UTF-8 character, NUL-terminated. */
void text_copy(char *out, size_t size, const char *text, size_t len);

#endif
