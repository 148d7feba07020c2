/* SPDX-License-Identifier: MIT
 *
 * Checks a JSON text against the grammar of RFC 8259 and our limits; builds nothing. Recursion is
 * bounded by the limit on levels.
 */
#include "server/base/json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/utf8.h"

#define SCAN_NUMBER_MAX 63

struct scan {
    const char *text;
    size_t len, at;
    const struct json_limits *limits;
    unsigned keys;
    struct cause *cause;
};

static enum err scan_value(struct scan *scan, unsigned level);

static enum err scan_fail(const struct scan *scan, const char *what)
{
    return cause_set(scan->cause, ERR_BAD_INPUT, "%s at byte %zu", what, scan->at);
}

/* The byte at the place, -1 at the end. */
static int scan_peek(const struct scan *scan)
{
    return scan->at < scan->len ? (unsigned char)scan->text[scan->at] : -1;
}

static bool scan_take(struct scan *scan, char c)
{
    if (scan_peek(scan) != (unsigned char)c)
        return false;
    scan->at++;
    return true;
}

static void scan_space(struct scan *scan)
{
    while (scan->at < scan->len && memchr(" \t\n\r", scan->text[scan->at], 4))
        scan->at++;
}

static bool scan_hex4(struct scan *scan, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int c = scan_peek(scan);
        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f' && c > 0)
            value = value * 16 + (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
    }
    *out = value;
    return true;
}

/* Behind "\u". */
static enum err scan_unicode(struct scan *scan)
{
    unsigned unit, low;
    if (!scan_hex4(scan, &unit))
        return scan_fail(scan, "a \\u without four hexadecimal digits");
    if (unit == 0)
        return scan_fail(scan, "an escaped NUL before");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return scan_fail(scan, "a lone surrogate before");
    if (unit < 0xD800 || unit > 0xDBFF)
        return ERR_OK;
    if (!scan_take(scan, '\\') || !scan_take(scan, 'u') || !scan_hex4(scan, &low) || low < 0xDC00 ||
        low > 0xDFFF)
        return scan_fail(scan, "a lone surrogate before");
    return ERR_OK;
}

static enum err scan_escape(struct scan *scan)
{
    int c = scan_peek(scan);
    if (c <= 0 || !strchr("\"\\/bfnrtu", c))
        return scan_fail(scan, "an unknown escape");
    scan->at++;
    return c == 'u' ? scan_unicode(scan) : ERR_OK;
}

static enum err scan_string(struct scan *scan)
{
    if (!scan_take(scan, '"'))
        return scan_fail(scan, "no text in double quotes");
    for (;;) {
        int c = scan_peek(scan);
        if (c < 0)
            return scan_fail(scan, "a text without an end");
        if (c < 0x20)
            return scan_fail(scan, "a raw control character");
        if (c >= 0x80) {
            uint32_t point;
            size_t used = utf8_next(scan->text + scan->at, scan->len - scan->at, &point);
            if (used == 0)
                return scan_fail(scan, "invalid UTF-8");
            scan->at += used;
            continue;
        }
        scan->at++;
        if (c == '"')
            return ERR_OK;
        enum err err = c == '\\' ? scan_escape(scan) : ERR_OK;
        if (err)
            return err;
    }
}

/* One digit or more. */
static bool scan_digits(struct scan *scan)
{
    size_t start = scan->at;
    while (scan_peek(scan) >= '0' && scan_peek(scan) <= '9')
        scan->at++;
    return scan->at > start;
}

static enum err scan_number(struct scan *scan)
{
    size_t start = scan->at;
    scan_take(scan, '-');
    if (scan_peek(scan) == '0')
        scan->at++;
    else if (!scan_digits(scan))
        return scan_fail(scan, "no value");
    if (scan_peek(scan) >= '0' && scan_peek(scan) <= '9')
        return scan_fail(scan, "a number with a leading zero");
    if (scan_take(scan, '.') && !scan_digits(scan))
        return scan_fail(scan, "a number without digits behind the point");
    if (scan_take(scan, 'e') || scan_take(scan, 'E')) {
        if (!scan_take(scan, '+'))
            scan_take(scan, '-');
        if (!scan_digits(scan))
            return scan_fail(scan, "a number without digits in its exponent");
    }
    char number[SCAN_NUMBER_MAX + 1];
    size_t len = scan->at - start;
    if (len > SCAN_NUMBER_MAX)
        return scan_fail(scan, "a number of more than 63 characters");
    memcpy(number, scan->text + start, len);
    number[len] = '\0';
    if (!isfinite(strtod(number, NULL)))
        return scan_fail(scan, "a number that is too large");
    return ERR_OK;
}

static enum err scan_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);
    if (scan->len - scan->at < len || memcmp(scan->text + scan->at, word, len) != 0)
        return scan_fail(scan, "no value");
    scan->at += len;
    return ERR_OK;
}

static enum err scan_member(struct scan *scan, unsigned level)
{
    if (++scan->keys > scan->limits->keys)
        return cause_set(scan->cause, ERR_BAD_INPUT, "more than %u keys", scan->limits->keys);
    enum err err = scan_string(scan);
    if (err)
        return err;
    scan_space(scan);
    if (!scan_take(scan, ':'))
        return scan_fail(scan, "no colon behind a name");
    scan_space(scan);
    return scan_value(scan, level);
}

/* Behind the opening bracket; `close` ends it. */
static enum err scan_children(struct scan *scan, char close, unsigned level)
{
    scan_space(scan);
    if (scan_take(scan, close))
        return ERR_OK;
    for (;;) {
        enum err err = close == '}' ? scan_member(scan, level) : scan_value(scan, level);
        if (err)
            return err;
        scan_space(scan);
        if (scan_take(scan, close))
            return ERR_OK;
        if (!scan_take(scan, ','))
            return scan_fail(scan, close == '}' ? "no comma or } in an object"
                                                : "no comma or ] in an array");
        scan_space(scan);
    }
}

static enum err scan_value(struct scan *scan, unsigned level)
{
    int c = scan_peek(scan);
    switch (c) {
    case '{':
    case '[':
        if (level >= scan->limits->levels)
            return cause_set(scan->cause, ERR_BAD_INPUT, "more than %u levels at byte %zu",
                             scan->limits->levels, scan->at);
        scan->at++;
        return scan_children(scan, c == '{' ? '}' : ']', level + 1);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return scan_number(scan);
    }
}

enum err json_scan(const char *text, size_t len, const struct json_limits *limits,
                   struct cause *cause)
{
    if (len > limits->bytes)
        return cause_set(cause, ERR_TOO_LARGE, "more than %zu bytes", limits->bytes);
    struct scan scan = {.text = text, .len = len, .limits = limits, .cause = cause};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        return scan_fail(&scan, "a byte order mark");
    scan_space(&scan);
    enum err err = scan_value(&scan, 0);
    if (err)
        return err;
    scan_space(&scan);
    return scan.at == len ? ERR_OK : scan_fail(&scan, "more text behind the value");
}
