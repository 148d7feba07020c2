/* SPDX-License-Identifier: MIT
 *
 * Shared by control.c (the socket) and control_work.c (what is asked for); nobody else.
 */
#ifndef SERVER_CONTROL_PRIV_H
#define SERVER_CONTROL_PRIV_H

#include <stdbool.h>

#include <uv.h>

#include "server/control.h"

struct control_call {
    uv_pipe_t pipe;
    struct control *control;
    struct control_call *next;
    int holds;    /* the connection's and one for work under way */
    bool asked;   /* its one line was read */
    bool closed;  /* the connection is gone: an answer has nowhere to go */
    bool holding; /* pictures are held until it ends */
    size_t len;
    char line[CONTROL_LINE_MAX];
};

struct control {
    struct server *server;
    uv_pipe_t listener;
    bool started;
    struct control_call *calls;
};

/* Does what the line asks for; answers at once or later through control_answer() or control_fail().
 */
void control_do(struct control_call *call, const char *line, size_t len);
/* One line back; then the connection ends unless it holds something. */
void control_answer(struct control_call *call, const char *json);
void control_fail(struct control_call *call, const char *text);
void control_release(struct control_call *call);

#endif
