/* SPDX-License-Identifier: MIT
 *
 * A growing buffer that cannot grow past the limit given at its start. The first failure sticks:
 * later additions do nothing, and `buf_error` tells it once at the end. Always NUL-terminated
 * behind `len`.
 */
#ifndef SERVER_BASE_BUF_H
#define SERVER_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

struct buf {
    char *data;    /* NULL until something is added */
    size_t len;    /* bytes used, without the final NUL */
    size_t cap;    /* private */
    size_t max;    /* most bytes that may be used */
    enum err fail; /* private: ERR_OK, ERR_TOO_LARGE or ERR_NO_MEMORY */
};

void buf_init(struct buf *buf, size_t max);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_str(struct buf *buf, const char *text);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `text` as a JSON string (RFC 8259 section 7) with its quotes; invalid UTF-8 becomes U+FFFD.
 */
void buf_add_json_str(struct buf *buf, const char *text);
enum err buf_error(const struct buf *buf);
/* The text, owned by the caller from now on (free()); NULL when there was an error. The buffer is
 * empty after. */
char *buf_take(struct buf *buf);
void buf_free(struct buf *buf);

#endif
