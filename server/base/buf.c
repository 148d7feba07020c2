/* SPDX-License-Identifier: MIT
 *
 * A bounded growing buffer. Refuses to hold more than it was told; an addition that does not fit
 * adds nothing at all.
 */
#include "server/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/utf8.h"

#define BUF_FIRST_CAP 64

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

/* Makes room for `more` bytes and the NUL behind them. */
static bool buf_room(struct buf *buf, size_t more)
{
    if (buf->fail)
        return false;
    if (more > buf->max - buf->len) {
        buf->fail = ERR_TOO_LARGE;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
    while (cap < need && cap <= buf->max / 2)
        cap *= 2;
    if (cap < need)
        cap = buf->max + 1;
    char *data = realloc(buf->data, cap);
    if (!data) {
        buf->fail = ERR_NO_MEMORY;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_room(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    if (buf->fail)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t space = buf->cap - buf->len;
    int need = vsnprintf(buf->data ? buf->data + buf->len : NULL, space, format, args);
    if (need < 0) {
        buf->fail = ERR_NO_MEMORY;
    } else if (buf_room(buf, (size_t)need)) {
        if ((size_t)need >= space)
            vsnprintf(buf->data + buf->len, (size_t)need + 1, format, again);
        buf->len += (size_t)need;
    }
    if (buf->data) /* also undoes a cut first try */
        buf->data[buf->len] = '\0';
    va_end(again);
    va_end(args);
}

static void buf_add_json_char(struct buf *buf, const char *text, size_t used, uint32_t point)
{
    static const char *const short_forms[0x20] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (point == '"' || point == '\\') {
        buf_add(buf, "\\", 1);
        buf_add(buf, text, 1);
    } else if (point < 0x20 && short_forms[point]) {
        buf_add_str(buf, short_forms[point]);
    } else if (point < 0x20 || point == 0x7F) {
        buf_addf(buf, "\\u%04x", (unsigned)point);
    } else {
        buf_add(buf, text, used);
    }
}

void buf_add_json_str(struct buf *buf, const char *text)
{
    size_t left = strlen(text);
    buf_add(buf, "\"", 1);
    while (left > 0 && !buf->fail) {
        /* Runs of plain ASCII go in one piece. */
        size_t plain = 0;
        while (plain < left && text[plain] >= 0x20 && text[plain] < 0x7F && text[plain] != '"' &&
               text[plain] != '\\')
            plain++;
        if (plain) {
            buf_add(buf, text, plain);
            text += plain;
            left -= plain;
            continue;
        }
        uint32_t point = 0;
        size_t used = utf8_next(text, left, &point);
        if (used)
            buf_add_json_char(buf, text, used, point);
        else
            buf_add_str(buf, "\xEF\xBF\xBD");
        text += used ? used : 1;
        left -= used ? used : 1;
    }
    buf_add(buf, "\"", 1);
}

enum err buf_error(const struct buf *buf)
{
    return buf->fail;
}

char *buf_take(struct buf *buf)
{
    buf_add(buf, "", 0);
    char *text = buf->data;
    if (buf->fail) {
        free(text);
        text = NULL;
    }
    buf_init(buf, buf->max);
    return text;
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}
