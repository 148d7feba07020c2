/* SPDX-License-Identifier: MIT
 *
 * Forms: multipart/form-data (RFC 7578) by libmicrohttpd's post processor, fed as bytes come, and
 * application/x-www-form-urlencoded, decoded when first asked for. The client's file names are
 * never looked at but for being there. Fields are kept as "name\0value\0" after each other; small
 * ones only, a larger one is passed over.
 */
#include "server/http_priv.h"

#include <string.h>
#include <strings.h>

#include "server/base/names.h"

#define PARTS_MAX       8
#define FIELD_NAME_MAX  64
#define FIELD_VALUE_MAX 1024
/* One header line of a part must fit. */
#define PROCESSOR_SIZE 1024
/* A piece is what one read brings, and what the processor held back. */
#define PIECE_MAX (HTTP_POOL + 2 * PROCESSOR_SIZE)

static const char multipart[] = "multipart/form-data";
static const char urlencoded[] = "application/x-www-form-urlencoded";

static const char *content_type(const struct http_request *request)
{
    const char *type = http_request_header(request, "Content-Type");

    return type != NULL ? type : "";
}

static bool is_type(const char *value, const char *type)
{
    size_t len = strlen(type);

    return strncasecmp(value, type, len) == 0 && strchr("; \t", value[len]) != NULL;
}

/* RFC 2046 5.1.1: at most 70 characters. libmicrohttpd takes all that follows "boundary=", and
 * since its repair of CVE-2023-27371 (a lone quote made a length of minus one) at least two. */
static bool boundary_is_sound(const char *type)
{
    const char *boundary = strstr(type, "boundary=");
    size_t len;

    if (boundary == NULL)
        return false;
    boundary += strlen("boundary=");
    len = strlen(boundary);
    if (len >= 2 && boundary[0] == '"' && boundary[len - 1] == '"') {
        boundary++;
        len -= 2;
    }
    if (len < 2 || len > 70 || boundary[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = boundary[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!plain && strchr("'()+_,-./:=? ", c) == NULL)
            return false;
    }
    return true;
}

/* The field that was open is complete: keep it when it is small, sound text. */
static void close_field(struct http_request *request)
{
    struct buf *value = &request->field_value;
    size_t name_len = strlen(request->field_name);

    if (request->field_open && buf_error(value) == ERR_OK && name_len <= FIELD_NAME_MAX &&
        (value->len == 0 || (text_is_utf8(value->data, value->len) &&
                             memchr(value->data, '\0', value->len) == NULL))) {
        buf_add(&request->fields, request->field_name, name_len + 1);
        buf_add(&request->fields, value->len > 0 ? value->data : "", value->len);
        buf_add(&request->fields, "", 1);
    }
    request->field_open = false;
    buf_free(value);
}

static bool open_part(struct http_request *request, const char *name, const char *file_name)
{
    close_field(request);
    if (request->part_is_file)
        request->file_over = true;
    if (++request->part_count > PARTS_MAX)
        return false;
    request->part_is_file = file_name != NULL && !request->file_seen;
    request->file_seen = request->file_seen || file_name != NULL;
    request->field_open = file_name == NULL && name != NULL;
    text_copy(request->field_name, sizeof(request->field_name), name != NULL ? name : "",
              name != NULL ? strlen(name) : 0);
    buf_init(&request->field_value, FIELD_VALUE_MAX);
    return true;
}

/* A part's first call is at offset 0 and may be empty; then its second is at offset 0 again. */
static bool is_new_part(const struct http_request *request, const char *name, uint64_t offset,
                        size_t size)
{
    char copy[sizeof(request->field_name)];

    if (offset != 0)
        return false;
    if (!request->part_empty || size == 0)
        return true;
    text_copy(copy, sizeof(copy), name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    return strcmp(copy, request->field_name) != 0;
}

static enum MHD_Result on_part(void *cls, enum MHD_ValueKind kind, const char *name,
                               const char *file_name, const char *type, const char *coding,
                               const char *bytes, uint64_t offset, size_t size)
{
    struct http_request *request = cls;

    (void)kind;
    (void)type;
    (void)coding;
    if (is_new_part(request, name, offset, size) && !open_part(request, name, file_name))
        return MHD_NO;
    request->part_empty = size == 0;
    if (request->part_is_file) {
        request->file_bytes += (int64_t)size;
        buf_add(&request->piece, bytes, size);
        return buf_error(&request->piece) == ERR_OK ? MHD_YES : MHD_NO;
    }
    if (request->field_open)
        buf_add(&request->field_value, bytes, size);
    return MHD_YES;
}

enum err http_form_begin(struct http_request *request)
{
    const char *type = content_type(request);

    if (!is_type(type, multipart))
        return ERR_NOT_FOUND;
    if (!boundary_is_sound(type))
        return ERR_BAD_INPUT;
    buf_init(&request->fields, PARTS_MAX * (FIELD_NAME_MAX + FIELD_VALUE_MAX + 2));
    request->fields_read = true;
    request->form =
        MHD_create_post_processor(request->connection->mhd, PROCESSOR_SIZE, on_part, request);
    return request->form != NULL ? ERR_OK : ERR_BAD_INPUT;
}

bool http_form_feed(struct http_request *request, const char *bytes, size_t len)
{
    buf_free(&request->piece); /* an empty addition may have left it allocated */
    buf_init(&request->piece, PIECE_MAX);
    return MHD_post_process(request->form, bytes, len) == MHD_YES;
}

enum err http_form_end(struct http_request *request)
{
    enum MHD_Result sound = MHD_destroy_post_processor(request->form);

    request->form = NULL;
    close_field(request);
    /* Only now does it say that the last boundary was missing. */
    if (sound != MHD_YES)
        return ERR_BAD_INPUT;
    return request->file_seen ? ERR_OK : ERR_NOT_FOUND;
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF", *at = strchr(digits, c);

    return c != '\0' && at != NULL ? (int)((at - digits) % 16) : -1;
}

/* Adds the decoded text and a NUL; false when it isn't well formed. */
static bool add_decoded(struct buf *out, const char *text, size_t len)
{
    size_t start = out->len;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= len || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0)
                return false;
            c = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return false;
        buf_add(out, &c, 1);
    }
    if (buf_error(out) != ERR_OK ||
        (out->len > start && !text_is_utf8(out->data + start, out->len - start)))
        return false;
    buf_add(out, "", 1);
    return buf_error(out) == ERR_OK;
}

static void read_urlencoded(struct http_request *request)
{
    const char *text = request->body.data, *end = text + request->body.len;

    buf_init(&request->fields, 2 * HTTP_BODY_MAX + 2);
    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text)), *equals;

        if (stop == NULL)
            stop = end;
        equals = memchr(text, '=', (size_t)(stop - text));
        if (equals == NULL)
            equals = stop;
        if (stop > text && (!add_decoded(&request->fields, text, (size_t)(equals - text)) ||
                            !add_decoded(&request->fields, equals + (equals < stop ? 1 : 0),
                                         (size_t)(stop - equals) - (equals < stop ? 1 : 0)))) {
            /* One broken field makes the others no truer. */
            buf_free(&request->fields);
            return;
        }
        text = stop + 1;
    }
}

static void read_fields(struct http_request *request)
{
    const char *type = content_type(request);

    request->fields_read = true;
    if (request->want != HTTP_BODY_COLLECT || request->body.len == 0)
        return;
    if (is_type(type, urlencoded)) {
        read_urlencoded(request);
    } else if (http_form_begin(request) == ERR_OK) {
        bool fed = true;
        size_t at = 0;

        /* In steps, since a file among the fields is collected here and thrown away. */
        while (fed && at < request->body.len) {
            size_t step = request->body.len - at < HTTP_POOL ? request->body.len - at : HTTP_POOL;

            fed = http_form_feed(request, request->body.data + at, step);
            buf_free(&request->piece);
            at += step;
        }
        if (http_form_end(request) == ERR_BAD_INPUT || !fed)
            buf_free(&request->fields);
    }
}

const char *http_request_form(const struct http_request *request, const char *name)
{
    const char *at, *end;

    /* Reading is put off, which the caller can't see. */
    if (!request->fields_read)
        read_fields((struct http_request *)(uintptr_t)request);
    if (request->fields.data == NULL)
        return NULL;
    at = request->fields.data;
    end = at + request->fields.len;
    while (at < end) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}
