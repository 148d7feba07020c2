/* SPDX-License-Identifier: MIT
 *
 * Names, topics and what the log does to them: a valid name is bounded plain UTF-8, escaped text is
 * harmless and is not changed by escaping it again.
 *
 * Sources: server/base/names.c server/base/utf8.c server/base/log.c server/base/clock.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "server/base/log.h"
#include "server/base/names.h"

#define ESCAPE_SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *text, size_t len)
{
    if (name_is_valid(text, len)) {
        assert(len >= 1 && len <= NAME_MAX_BYTES && text[0] != '$');
        assert(text_is_utf8(text, len) && !text_has_control(text, len));
        assert(!memchr(text, ' ', len) && !memchr(text, '+', len) && !memchr(text, '#', len));
        assert(!memchr(text, '\0', len));
    }
    if (word_is_valid(text, len))
        assert(name_is_valid(text, len) && len <= 32);
}

static void check_copy(const char *text, size_t len, size_t size)
{
    char out[256];
    memset(out, 'z', sizeof out);
    if (size == 0 || size > sizeof out - 1 || memchr(text, '\0', len))
        return;
    text_copy(out, size, text, len);
    size_t copied = strlen(out);
    assert(copied < size && copied <= len && memcmp(out, text, copied) == 0);
    assert(out[size] == 'z');
    if (text_is_utf8(text, len))
        assert(text_is_utf8(out, copied) && (copied == len || copied + 4 >= size));
}

static void check_escape(const char *text, size_t len, size_t size)
{
    char out[ESCAPE_SIZE], again[ESCAPE_SIZE];
    out[size] = 'z';
    assert(log_escape(out, size, text, len) == out);
    assert(out[size] == 'z');
    if (size == 0)
        return;
    size_t shown = strlen(out);
    assert(shown < size);
    assert(text_is_utf8(out, shown) && !text_has_control(out, shown));
    assert(!strstr(out, "\xE2\x80\xA8") && !strstr(out, "\xE2\x80\xAE"));
    log_escape(again, size, out, shown);
    assert(strcmp(out, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    check_name(text, size);
    check_escape(text, size, ESCAPE_SIZE - 1);
    /* The first byte is also a size, so that cuts happen at every place. */
    size_t cut = size ? data[0] : 0;
    check_copy(text, size, cut);
    check_escape(text, size, cut);
    return 0;
}
