/* SPDX-License-Identifier: MIT
 *
 * Splits a payload at runs of spaces, once and without a heap. Refuses to know what the words mean:
 *
 *     "  unlock   front-door app "  ->  "unlock" "front-door" "app"
 */
#include "actions/words.h"

#include <stdbool.h>
#include <string.h>

#include "server/base/names.h"

/* Cuts out->text, which holds `len` bytes without spaces at either end. False: too many words. */
static bool words_cut(struct words *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        if (out->count == WORDS_MAX)
            return false;
        out->word[out->count] = out->text + at;
        out->rest[out->count] = out->whole + at;
        out->count++;
        while (at < len && out->text[at] != ' ')
            at++;
        while (at < len && out->text[at] == ' ')
            out->text[at++] = '\0';
    }
    return true;
}

enum err words_split(const void *payload, size_t len, struct words *out)
{
    const char *text = payload;
    out->count = 0;
    if (len > WORDS_MAX_BYTES)
        return ERR_TOO_LARGE;
    while (len > 0 && text[0] == ' ') {
        text++;
        len--;
    }
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (len == 0 || !text_is_utf8(text, len) || text_has_control(text, len))
        return ERR_BAD_INPUT;
    memcpy(out->text, text, len);
    memcpy(out->whole, text, len);
    out->text[len] = out->whole[len] = '\0';
    if (words_cut(out, len))
        return ERR_OK;
    out->count = 0;
    return ERR_TOO_LARGE;
}
