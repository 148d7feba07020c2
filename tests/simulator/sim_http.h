/* SPDX-License-Identifier: MIT
 *
 * HTTP calls of the simulator, on libcurl: each call runs on a thread of libuv's pool and is told
 * to the loop when it is over.
 */
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/buf.h"
#include "tests/simulator/sim.h"

/* What to ask. All texts and bytes are copied. */
struct sim_http_ask {
    const char *method; /* "GET", "POST" */
    const char *url;
    bool with_token;  /* send --token, if there is one */
    const char *json; /* a JSON body; NULL: none */
    /* A file part of a multipart/form-data body; NULL: none. */
    const void *file;
    size_t file_len;
    const char *file_name, *file_type;
};

struct sim_http_reply {
    long status;       /* 0: no answer */
    const char *fault; /* why there is none */
    const char *body;  /* NUL-terminated behind `len`; cut at 16 MB */
    size_t len;
    double took_ms;
};
typedef void sim_http_done_fn(void *owner, const struct sim_http_reply *reply);

/* `done` is called exactly once, later, on the loop; also when the run ends. False (and no call):
 * out of memory. */
bool sim_http_send(struct sim *sim, const struct sim_http_ask *ask, sim_http_done_fn *done,
                   void *owner);
/* Adds `text` percent-encoded (RFC 3986). */
void sim_url_add(struct buf *url, const char *text);

#endif
