/* SPDX-License-Identifier: MIT
 *
 * Splits a payload into words. Pure. Grammar (CONTRACT 1.1): words are separated by runs of the
 * space character (0x20); everything else belongs to a word. Spaces at either end do not count.
 */
#ifndef ACTIONS_WORDS_H
#define ACTIONS_WORDS_H

#include <stddef.h>

#include "server/base/err.h"

#define WORDS_MAX_BYTES 4096 /* of a whole payload in the old dialect */
#define WORDS_MAX       64

struct words {
    size_t count;                /* the first word included */
    const char *word[WORDS_MAX]; /* NUL-terminated, into `text` */
    const char
        *rest[WORDS_MAX]; /* the same place in the unsplit payload: word i and all behind it */
    char text[WORDS_MAX_BYTES + 1];  /* private */
    char whole[WORDS_MAX_BYTES + 1]; /* private */
};

/* ERR_TOO_LARGE (more bytes or words than allowed) or ERR_BAD_INPUT (empty, NUL, invalid UTF-8,
 * control character); `out` is then empty (count 0). */
enum err words_split(const void *payload, size_t len, struct words *out);

#endif
