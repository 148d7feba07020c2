/* SPDX-License-Identifier: MIT
 *
 * Decodes one UTF-8 character at a time. Knows nothing of what characters mean.
 */
#include "server/base/utf8.h"

size_t utf8_next(const void *text, size_t len, uint32_t *point)
{
    const unsigned char *byte = text;
    if (len == 0)
        return 0;
    if (byte[0] < 0x80) {
        *point = byte[0];
        return 1;
    }
    size_t need;
    uint32_t value, least;
    if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
        need = 2, value = byte[0] & 0x1F, least = 0x80;
    } else if ((byte[0] & 0xF0) == 0xE0) {
        need = 3, value = byte[0] & 0x0F, least = 0x800;
    } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
        need = 4, value = byte[0] & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (len < need)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (byte[i] & 0x3F);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *point = value;
    return need;
}
