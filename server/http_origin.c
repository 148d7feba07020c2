/* SPDX-License-Identifier: MIT
 *
 * Who may have made a browser send this: the names we are called by, the page a request comes from,
 * and ranges of addresses. The addresses of CONTRACT part 1 change things on GET, so a foreign page
 * must not reach them, also not by a name that it points at us (DNS rebinding). Pure.
 */
#include "server/http_guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/names.h"

struct authority {
    char host[256]; /* lower case, an IPv6 address without its brackets */
    int port;       /* -1: none given */
};

static enum err refuse(const char **why, const char *text)
{
    if (why != NULL)
        *why = text;
    return ERR_FORBIDDEN;
}

static bool parse_port(const char *text, size_t len, int *port)
{
    int value = 0;

    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *port = value;
    return value <= 65535;
}

/* "host", "host:port", "[address]", "[address]:port" (RFC 3986 3.2, without user information). */
static bool parse_authority(const char *text, size_t len, struct authority *out)
{
    const char *host = text, *end = text + len, *after;

    out->port = -1;
    if (len > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', len);

        if (close == NULL)
            return false;
        host = text + 1;
        after = close + 1;
        len = (size_t)(close - host);
    } else {
        const char *colon = memchr(text, ':', len);

        after = colon != NULL ? colon : end;
        len = (size_t)(after - host);
    }
    if (after < end &&
        (*after != ':' || !parse_port(after + 1, (size_t)(end - after) - 1, &out->port)))
        return false;
    if (len == 0 || len >= sizeof(out->host))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = host[i];

        if (c == '@' || c == '/' || (unsigned char)c <= ' ')
            return false;
        out->host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out->host[len] = '\0';
    return true;
}

/* Puts an address into 16 bytes, IPv4 as IPv4-mapped IPv6 (RFC 4291 2.5.5.2). */
static bool address_bytes(const char *text, unsigned char out[16])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char plain[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%"); /* fe80::1%eth0: the zone says nothing about who it is */

    if (len == 0 || len >= sizeof(plain))
        return false;
    text_copy(plain, sizeof(plain), text, len);
    if (inet_pton(AF_INET, plain, out + 12) == 1) {
        memcpy(out, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, plain, out) == 1;
}

static bool same_address(const char *a, const char *b)
{
    unsigned char left[16], right[16];

    return address_bytes(a, left) && address_bytes(b, right) && memcmp(left, right, 16) == 0;
}

static bool is_loopback(const char *address)
{
    return cidr_contains("127.0.0.0/8", address) || cidr_contains("::1/128", address);
}

/* A name without a port stands for any: what a router in front forwards has another one. */
static bool is_listed(const char *const *own_hosts, const struct authority *host)
{
    struct authority own;

    for (size_t i = 0; own_hosts != NULL && own_hosts[i] != NULL; i++) {
        if (parse_authority(own_hosts[i], strlen(own_hosts[i]), &own) &&
            strcmp(own.host, host->host) == 0 && (own.port == -1 || own.port == host->port))
            return true;
    }
    return false;
}

static bool is_ours(const struct origin_input *input, const struct authority *host)
{
    if (is_listed(input->own_hosts, host))
        return true;
    if (input->local_address == NULL || (host->port != -1 && host->port != input->local_port))
        return false;
    if (same_address(host->host, input->local_address))
        return true;
    return strcmp(host->host, "localhost") == 0 && is_loopback(input->local_address);
}

static bool has_scheme(const char *url, const char *scheme)
{
    return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* The page at `url` is ours: the very host the request names, or one of our names as listed. */
static bool page_is_ours(const struct origin_input *input, const char *url)
{
    bool tls = has_scheme(url, "https://");
    struct authority page, host;
    const char *start;
    int usual = tls ? 443 : 80;

    if (!tls && !has_scheme(url, "http://"))
        return false;
    start = url + (tls ? 8 : 7);
    if (!parse_authority(start, strcspn(start, "/?#"), &page))
        return false;
    if (page.port == -1)
        page.port = usual;
    if (input->host != NULL && parse_authority(input->host, strlen(input->host), &host)) {
        if (host.port == -1)
            host.port = usual;
        if (strcmp(host.host, page.host) == 0 && host.port == page.port)
            return true;
    }
    /* A proxy in front may have put its own Host; then only the exact name helps. */
    for (size_t i = 0; input->own_hosts != NULL && input->own_hosts[i] != NULL; i++) {
        const char *own = input->own_hosts[i];

        if (parse_authority(own, strlen(own), &host) && strcmp(host.host, page.host) == 0 &&
            (host.port == -1 ? usual : host.port) == page.port)
            return true;
    }
    return false;
}

/* They all call themselves so (RFC 9110 10.1.5 leaves it free), and no page can change it. */
static bool is_browser(const char *user_agent)
{
    return user_agent != NULL && strncasecmp(user_agent, "Mozilla/", strlen("Mozilla/")) == 0;
}

enum err http_origin_check(const struct origin_input *input, const char **why)
{
    struct authority host;

    /* HTTP/1.0 boards may leave Host out (the guard wants it of HTTP/1.1); browsers never do. */
    if (input->host != NULL &&
        (!parse_authority(input->host, strlen(input->host), &host) || !is_ours(input, &host)))
        return refuse(why, "Host is none of our names");
    if (input->sec_fetch_site != NULL && strcmp(input->sec_fetch_site, "none") != 0 &&
        strcmp(input->sec_fetch_site, "same-origin") != 0)
        return refuse(why, "Sec-Fetch-Site says that a foreign page asks");
    if (input->origin != NULL && !page_is_ours(input, input->origin))
        return refuse(why, "Origin is foreign");
    if (input->referer != NULL && !page_is_ours(input, input->referer))
        return refuse(why, "Referer is foreign");
    if (input->by_address_alone && is_browser(input->user_agent) && input->sec_fetch_site == NULL &&
        input->origin == NULL && input->referer == NULL)
        return refuse(why, "a browser that does not say which page asks");
    if (why != NULL)
        *why = "";
    return ERR_OK;
}

static bool parse_range(const char *text, unsigned char out[16], int *bits)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char address[INET6_ADDRSTRLEN];
    bool four;
    int limit;

    if (len == 0 || len >= sizeof(address) || memchr(text, '%', len) != NULL)
        return false;
    text_copy(address, sizeof(address), text, len);
    if (!address_bytes(address, out))
        return false;
    four = strchr(address, ':') == NULL;
    limit = four ? 32 : 128;
    *bits = limit;
    if (slash != NULL &&
        (strlen(slash + 1) > 3 || !parse_port(slash + 1, strlen(slash + 1), bits) || *bits > limit))
        return false;
    if (four)
        *bits += 96;
    return true;
}

bool cidr_is_valid(const char *text)
{
    unsigned char bytes[16];
    int bits;

    return text != NULL && parse_range(text, bytes, &bits);
}

bool cidr_contains(const char *range, const char *address)
{
    unsigned char base[16], bytes[16];
    int bits, whole, rest;

    if (range == NULL || address == NULL || !parse_range(range, base, &bits) ||
        !address_bytes(address, bytes))
        return false;
    whole = bits / 8;
    rest = bits % 8;
    if (memcmp(base, bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((base[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}
