/* SPDX-License-Identifier: MIT
 *
 * Every rule that a request's head must keep before anything else looks at it. libmicrohttpd takes
 * two lengths, folded lines, NULs, any byte in a name and addresses that climb out of their folder;
 * each of those lets two programs on one connection disagree about what was asked. Knows no library
 * and keeps nothing.
 */
#include "server/http_guard.h"

#include <string.h>
#include <strings.h>

#include "server/base/names.h"

/* Of one request; libmicrohttpd's 8 KB pool holds about as many. */
#define HEADERS_MAX 100
/* Longer than any method we know; what is over is no method but garbage. */
#define METHOD_MAX 20
/* An address fits into the 8 KB that a whole head may have. */
#define URI_MAX 8192
/* How often an address may be encoded over itself before we stop looking for "..". */
#define DECODE_ROUNDS 4

static enum err refuse(const char **why, enum err code, const char *text)
{
    if (why != NULL)
        *why = text;
    return code;
}

/* RFC 9110 5.6.2. */
static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-')
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_token_char((unsigned char)text[i]))
            return false;
    }
    return len > 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum err check_method(const char *method, const char **why)
{
    size_t len = strlen(method);
    enum http_method found;

    if (len > METHOD_MAX || !is_token(method, len))
        return refuse(why, ERR_BAD_INPUT, "the method is not a word");
    return http_method_find(method, &found) ? ERR_OK : ERR_METHOD;
}

/* Whether `..` stands alone between separators, in what may be a path or a query. */
static bool climbs(const char *text, size_t len)
{
    size_t start = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && strchr("/\\?&=;+", text[i]) == NULL)
            continue;
        if (i - start == 2 && text[start] == '.' && text[start + 1] == '.')
            return true;
        start = i + 1;
    }
    return false;
}

/* One round of percent decoding in place, of what is well formed; the length after it. */
static size_t decode_round(char *text, size_t len)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            text[out++] = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            text[out++] = text[i];
        }
    }
    return out;
}

/* As it came: visible ASCII, and each percent sign begins two hexadecimal digits. */
static enum err check_uri_bytes(const char *uri, size_t len, const char **why)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)uri[i];

        if (c <= ' ' || c >= 0x7f)
            return refuse(why, ERR_BAD_INPUT, "the address holds a byte that must be encoded");
        if (c == '\\' || c == '#')
            return refuse(why, ERR_BAD_INPUT, "the address holds a backslash or a fragment");
        if (c == '%' && (i + 2 >= len || hex_value(uri[i + 1]) < 0 || hex_value(uri[i + 2]) < 0))
            return refuse(why, ERR_BAD_INPUT, "the address is wrongly percent-encoded");
    }
    return ERR_OK;
}

static enum err check_decoded(const char *text, size_t len, bool path, int round, const char **why)
{
    if (climbs(text, len))
        return refuse(why, ERR_BAD_INPUT, "the address climbs with two dots");
    if (path && memchr(text, '\\', len) != NULL)
        return refuse(why, ERR_BAD_INPUT, "the path holds a backslash");
    if (path && memchr(text, '\0', len) != NULL)
        return refuse(why, ERR_BAD_INPUT, "the path holds a NUL");
    /* We decode once; what looks like a control character only after that is plain text. */
    if (round != 1)
        return ERR_OK;
    if (!text_is_utf8(text, len) || text_has_control(text, len))
        return refuse(why, ERR_BAD_INPUT, "the address holds a control character or broken UTF-8");
    return ERR_OK;
}

static enum err check_uri_part(const char *part, size_t len, bool path, const char **why)
{
    char text[URI_MAX];
    size_t before = len;

    memcpy(text, part, len);
    for (int round = 0; round <= DECODE_ROUNDS; round++) {
        enum err err;

        if (round > 0) {
            len = decode_round(text, before);
            /* The first round is checked even if it changed nothing: it is what we work with. */
            if (round > 1 && len == before)
                return ERR_OK;
        }
        err = check_decoded(text, len, path, round, why);
        if (err != ERR_OK)
            return err;
        before = len;
    }
    return refuse(why, ERR_BAD_INPUT, "the address is encoded over and over");
}

static enum err check_uri(const struct guard_input *input, const char **why)
{
    const char *uri = input->raw_uri;
    size_t len = input->raw_uri_len;
    const char *query;
    size_t path_len;
    enum err err;

    if (input->line_cut)
        return refuse(why, ERR_BAD_INPUT, "the request line holds a NUL or too many spaces");
    if (len == 0 || len > URI_MAX)
        return refuse(why, ERR_BAD_INPUT, "the address is empty or too long");
    if (uri[0] != '/' && !(len == 1 && uri[0] == '*' && strcmp(input->method, "OPTIONS") == 0))
        return refuse(why, ERR_BAD_INPUT, "the address does not begin with a slash");
    err = check_uri_bytes(uri, len, why);
    /* Nearly every address is plain, and then there is nothing to decode. */
    if (err != ERR_OK || (memchr(uri, '%', len) == NULL && memmem(uri, len, "..", 2) == NULL))
        return err;
    query = memchr(uri, '?', len);
    path_len = query != NULL ? (size_t)(query - uri) : len;
    err = check_uri_part(uri, path_len, true, why);
    if (err != ERR_OK || query == NULL)
        return err;
    return check_uri_part(query + 1, len - path_len - 1, false, why);
}

static bool name_is(const struct guard_header *header, const char *name, size_t len)
{
    return header->name_len == len && strncasecmp(header->name, name, len) == 0;
}

static enum err check_header(const struct guard_header *header, const char **why)
{
    if (header->glued)
        return refuse(why, ERR_BAD_INPUT, "a header is folded or holds a NUL");
    if (!is_token(header->name, header->name_len))
        return refuse(why, ERR_BAD_INPUT, "a header's name is not a word");
    for (size_t i = 0; i < header->value_len; i++) {
        unsigned char c = (unsigned char)header->value[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return refuse(why, ERR_BAD_INPUT, "a header holds a control character");
    }
    return ERR_OK;
}

/* A host and perhaps a port (RFC 3986 3.2.2), nothing that could begin another part. */
static bool host_is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!plain && (c == '\0' || strchr(".-_~:[]", c) == NULL))
            return false;
    }
    return len > 0;
}

static bool is_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return len > 0;
}

/* Headers that say where a request ends, whom it is for or who sends it: one of each at most. */
#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct {
    const char *name;
    size_t len;
} single[] = {NAME("host"),   NAME("content-length"), NAME("authorization"),  NAME("content-type"),
              NAME("origin"), NAME("referer"),        NAME("sec-fetch-site"), NAME("expect")};
static const char coding_name[] = "transfer-encoding";
enum { SINGLE_HOST, SINGLE_LENGTH };

static enum err check_framing(const struct guard_input *input, unsigned seen,
                              const struct guard_header *coding, const char **why)
{
    bool old = strcmp(input->version, "HTTP/1.0") == 0;

    if (!old && (seen & (1u << SINGLE_HOST)) == 0)
        return refuse(why, ERR_BAD_INPUT, "there is no Host");
    if (coding == NULL)
        return ERR_OK;
    if ((seen & (1u << SINGLE_LENGTH)) != 0)
        return refuse(why, ERR_BAD_INPUT, "Content-Length and Transfer-Encoding together");
    if (old)
        return refuse(why, ERR_BAD_INPUT, "Transfer-Encoding in HTTP/1.0");
    if (coding->value_len != 7 || strncasecmp(coding->value, "chunked", 7) != 0)
        return refuse(why, ERR_BAD_INPUT, "a Transfer-Encoding other than chunked");
    return ERR_OK;
}

static enum err check_headers(const struct guard_input *input, const char **why)
{
    const struct guard_header *coding = NULL;
    unsigned seen = 0;

    for (size_t i = 0; i < input->header_count; i++) {
        const struct guard_header *header = &input->headers[i];
        enum err err = check_header(header, why);

        if (err != ERR_OK)
            return err;
        for (unsigned s = 0; s < sizeof(single) / sizeof(*single); s++) {
            if (!name_is(header, single[s].name, single[s].len))
                continue;
            if ((seen & (1u << s)) != 0)
                return refuse(why, ERR_BAD_INPUT, "a header that must be single comes twice");
            seen |= 1u << s;
            if (s == SINGLE_HOST && !host_is_plain(header->value, header->value_len))
                return refuse(why, ERR_BAD_INPUT, "Host is not a host");
            if (s == SINGLE_LENGTH &&
                (header->value_len > 18 || !is_digits(header->value, header->value_len)))
                return refuse(why, ERR_BAD_INPUT, "Content-Length is not a number");
        }
        if (name_is(header, coding_name, sizeof(coding_name) - 1)) {
            if (coding != NULL)
                return refuse(why, ERR_BAD_INPUT, "two Transfer-Encodings");
            coding = header;
        }
    }
    return check_framing(input, seen, coding, why);
}

enum err http_guard(const struct guard_input *input, const char **why)
{
    enum err method, err;

    refuse(why, ERR_OK, "");
    if (strcmp(input->version, "HTTP/1.1") != 0 && strcmp(input->version, "HTTP/1.0") != 0)
        return refuse(why, ERR_BAD_INPUT, "the version is not HTTP/1.1 or HTTP/1.0");
    if (input->header_count > HEADERS_MAX)
        return refuse(why, ERR_HEADERS_TOO_LARGE, "too many headers");
    method = check_method(input->method, why);
    if (method == ERR_BAD_INPUT)
        return method;
    /* Framing comes before an unknown method, so that a smuggled request never reads as a 405. */
    err = check_uri(input, why);
    if (err == ERR_OK)
        err = check_headers(input, why);
    if (err != ERR_OK)
        return err;
    return method == ERR_OK ? ERR_OK : refuse(why, method, "the method is not one of ours");
}
