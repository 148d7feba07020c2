/* SPDX-License-Identifier: MIT
 *
 * The owner's door: accepting, reading one line, answering one line. What the requests do is in
 * control_work.c.
 */
#include "server/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/control_priv.h"
#include "server/server.h"

void control_path(int folder_fd, char out[static CONTROL_PATH_SIZE])
{
    snprintf(out, CONTROL_PATH_SIZE, "/proc/self/fd/%d/control.sock", folder_fd);
}

static void call_unlink(struct control_call *call)
{
    for (struct control_call **at = &call->control->calls; *at; at = &(*at)->next)
        if (*at == call) {
            *at = call->next;
            return;
        }
}

void control_release(struct control_call *call)
{
    if (--call->holds)
        return;
    free(call);
}

static void on_call_closed(uv_handle_t *handle)
{
    struct control_call *call = handle->data;
    if (call->holding)
        pictures_hold(call->control->server->pictures, false);
    call_unlink(call);
    call->closed = true;
    control_release(call);
}

static void close_call(struct control_call *call)
{
    if (!uv_is_closing((uv_handle_t *)&call->pipe))
        uv_close((uv_handle_t *)&call->pipe, on_call_closed);
}

struct control_write {
    uv_write_t write;
    struct control_call *call;
    char text[];
};

static void on_written(uv_write_t *write, int status)
{
    struct control_write *sent = (struct control_write *)write;
    if (status || !sent->call->holding)
        close_call(sent->call);
    free(sent);
}

void control_answer(struct control_call *call, const char *json)
{
    size_t len = strlen(json);
    struct control_write *sent = malloc(sizeof *sent + len + 2);
    if (call->closed || uv_is_closing((uv_handle_t *)&call->pipe) || !sent) {
        free(sent);
        return;
    }
    sent->call = call;
    memcpy(sent->text, json, len);
    memcpy(sent->text + len, "\n", 2);
    uv_buf_t part = uv_buf_init(sent->text, (unsigned)len + 1);
    if (uv_write(&sent->write, (uv_stream_t *)&call->pipe, &part, 1, on_written)) {
        free(sent);
        close_call(call);
    }
}

void control_fail(struct control_call *call, const char *text)
{
    struct buf buf;
    buf_init(&buf, CONTROL_LINE_MAX);
    buf_add_str(&buf, "{\"error\":");
    buf_add_json_str(&buf, text);
    buf_add_str(&buf, "}");
    control_answer(call, buf_error(&buf) ? "{\"error\":\"failed\"}" : buf.data);
    buf_free(&buf);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *part)
{
    (void)suggested;
    struct control_call *call = handle->data;
    *part = uv_buf_init(call->line + call->len, (unsigned)(sizeof call->line - 1 - call->len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *part)
{
    (void)part;
    struct control_call *call = stream->data;
    struct server *server = call->control->server;
    server_wake(server);
    if (count < 0) {
        close_call(call);
    } else {
        call->len += (size_t)count;
        call->line[call->len] = '\0';
        char *end = strchr(call->line, '\n');
        if (end && !call->asked) {
            *end = '\0';
            call->asked = true;
            control_do(call, call->line, (size_t)(end - call->line));
        } else if (call->asked) {
            call->len = 0; /* after its one request a client has nothing more to say */
        } else if (call->len >= sizeof call->line - 1) {
            close_call(call);
        }
    }
    server_settle(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    struct control_call *call = status ? NULL : calloc(1, sizeof *call);
    if (!call)
        return;
    call->control = control;
    call->holds = 1;
    call->pipe.data = call;
    call->next = control->calls;
    control->calls = call;
    if (uv_pipe_init(&control->server->loop, &call->pipe, 0)) {
        call_unlink(call);
        free(call);
        return;
    }
    if (uv_accept(listener, (uv_stream_t *)&call->pipe) ||
        uv_read_start((uv_stream_t *)&call->pipe, on_alloc, on_read))
        close_call(call);
}

enum err control_start(struct server *server, struct cause *cause)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    control->server = server;
    control->listener.data = control;
    server->control = control;
    int folder = open(server->config->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || uv_pipe_init(&server->loop, &control->listener, 0)) {
        if (folder >= 0)
            close(folder);
        return cause_set(cause, ERR_IO, "%s cannot be opened", server->config->data_dir);
    }
    control->started = true;
    char path[CONTROL_PATH_SIZE];
    control_path(folder, path);
    unlinkat(folder, "control.sock", 0); /* left by a killed server: the folder's lock is ours */
    mode_t mask = umask(0177);
    int failed = uv_pipe_bind(&control->listener, path);
    umask(mask);
    if (!failed)
        failed = uv_listen((uv_stream_t *)&control->listener, 16, on_connection);
    close(folder);
    if (failed)
        return cause_set(cause, ERR_IO, "the control socket in %s cannot be made: %s",
                         server->config->data_dir, uv_strerror(failed));
    return ERR_OK;
}

void control_stop(struct server *server)
{
    struct control *control = server->control;
    if (!control)
        return;
    if (control->started && !uv_is_closing((uv_handle_t *)&control->listener))
        uv_close((uv_handle_t *)&control->listener, NULL);
    for (struct control_call *call = control->calls; call; call = call->next)
        close_call(call);
    int folder = open(server->config->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        unlinkat(folder, "control.sock", 0);
        close(folder);
    }
}

void control_free(struct server *server)
{
    free(server->control);
    server->control = NULL;
}
