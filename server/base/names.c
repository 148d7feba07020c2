/* SPDX-License-Identifier: MIT
 *
 * Checks on names and texts that strangers give. Pure; knows no registry and no topic tree.
 */
#include "server/base/names.h"

#include <stdint.h>
#include <string.h>

#include "server/base/utf8.h"

#define WORD_MAX_BYTES 32

bool text_is_utf8(const void *text, size_t len)
{
    const char *at = text;
    while (len > 0) {
        uint32_t point;
        size_t used = utf8_next(at, len, &point);
        if (used == 0)
            return false;
        at += used;
        len -= used;
    }
    return true;
}

bool text_has_control(const char *text, size_t len)
{
    while (len > 0) {
        uint32_t point = 0;
        size_t used = utf8_next(text, len, &point);
        if (used && (point < 0x20 || (point >= 0x7F && point <= 0x9F)))
            return true;
        text += used ? used : 1;
        len -= used ? used : 1;
    }
    return false;
}

/* MQTT 5 section 1.5.4 lets a peer end the connection over these, and libmosquitto refuses them. */
static bool names_is_noncharacter(uint32_t point)
{
    return (point & 0xFFFE) == 0xFFFE || (point >= 0xFDD0 && point <= 0xFDEF);
}

bool name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_BYTES || name[0] == '$' || text_has_control(name, len))
        return false;
    while (len > 0) {
        uint32_t point;
        size_t used = utf8_next(name, len, &point);
        if (used == 0 || point == ' ' || point == '+' || point == '#' ||
            names_is_noncharacter(point))
            return false;
        name += used;
        len -= used;
    }
    return true;
}

bool word_is_valid(const char *word, size_t len)
{
    if (len == 0 || len > WORD_MAX_BYTES || word[0] < 'a' || word[0] > 'z')
        return false;
    for (size_t i = 1; i < len; i++) {
        char c = word[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

void text_copy(char *out, size_t size, const char *text, size_t len)
{
    if (size == 0)
        return;
    if (len > size - 1) {
        len = size - 1;
        /* Back to the start of the character that the cut would split. */
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    if (len)
        memcpy(out, text, len);
    out[len] = '\0';
}
