/* SPDX-License-Identifier: MIT
 *
 * What the owner asks a running server for. Reading and checking a file is a pool thread's work,
 * keeping it the storage thread's; the registry is loaded anew after it, so memory never runs ahead
 * of the disk.
 */
#include "server/control_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/base/json.h"
#include "server/base/log.h"
#include "server/import_file.h"
#include "server/server.h"

struct work {
    uv_work_t job;
    struct control_call *call;
    struct server *server;
    char path[4096];
    struct batch *batch;
    struct import_report report;
    struct cause cause;
    enum err result;
    char secret[SECRET_TOKEN_SIZE];
    bool restores;
};

static struct work *work_new(struct control_call *call)
{
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return NULL;
    work->call = call;
    work->server = call->control->server;
    call->holds++;
    return work;
}

static void work_end(struct work *work)
{
    control_release(work->call);
    batch_free(work->batch);
    free(work);
}

static void token_kept(void *arg, enum err kept)
{
    struct work *work = arg;
    char json[128];
    snprintf(json, sizeof json, "{\"token\":\"%s\"}", work->secret);
    if (kept)
        control_fail(work->call, err_message(kept));
    else
        control_answer(work->call, json);
    explicit_bzero(work->secret, sizeof work->secret);
    explicit_bzero(json, sizeof json);
    work_end(work);
}

static void do_token(struct work *work, const struct json *request)
{
    const char *name = json_str(json_get(request, "name"));
    const char *role_text = json_str(json_get(request, "role"));
    enum role role = role_from_name(role_text ? role_text : "");
    enum err err = ERR_BAD_INPUT;
    if (name && name_is_valid(name, strlen(name)) && role != ROLE_NONE)
        err = auth_token_create(work->server->turn, TOKEN_BEARER, name, role,
                                clock_wall_ms(&work->server->clock), 0, work->secret);
    if (err) {
        control_fail(work->call,
                     err == ERR_BAD_INPUT ? "a token needs a name and a role" : err_message(err));
        work_end(work);
        return;
    }
    log_info("control", "token made for %s, role %s", name, role_name(role));
    turn_out(work->server->turn, token_kept, work);
}

static void answer_report(struct work *work)
{
    struct buf buf;
    buf_init(&buf, 65536);
    buf_add_str(&buf, "{\"report\":[");
    struct buf line;
    for (size_t i = 0; import_report_line(&work->report, i, &line); i++) {
        buf_add_str(&buf, i ? "," : "");
        buf_add_json_str(&buf, line.data);
        buf_free(&line);
    }
    buf_add_str(&buf, "]}");
    control_answer(work->call, buf_error(&buf) ? "{\"report\":[]}" : buf.data);
    buf_free(&buf);
}

static void answer_change(void *arg)
{
    struct work *work = arg;
    char why[256];
    snprintf(why, sizeof why, "%s; the server's log says why", err_message(work->result));
    if (work->result)
        control_fail(work->call, why);
    else
        answer_report(work);
    log_info("control", "%s of %s: %s", work->restores ? "restore" : "import", work->path,
             err_message(work->result));
    work_end(work);
}

/* Whoever is told that it is done may ask for it: so only when the registry has it too. */
static void replaced(void *arg, enum err result)
{
    struct work *work = arg;
    struct server *server = work->server;
    work->result = result;
    if (result)
        answer_change(work);
    server_replaced(server, result ? NULL : answer_change, work);
}

static void change_store(void *arg)
{
    struct work *work = arg;
    if (work->server->stopping) {
        work->result = ERR_STOPPING;
        answer_change(work);
    } else if (work->restores) {
        store_restore(work->server->store, work->path, replaced, work);
    } else {
        store_keep(work->server->store, work->batch, replaced, work);
    }
}

static void start_change(struct work *work)
{
    enum err err = server_replace(work->server, change_store, work);
    if (!err)
        return;
    control_fail(work->call,
                 err == ERR_CONFLICT ? "another import or restore is under way" : err_message(err));
    work_end(work);
}

static void import_read(uv_work_t *job)
{
    struct work *work = job->data;
    work->result = import_file_read(work->path, clock_wall_ms(&work->server->clock), &work->batch,
                                    &work->report, &work->cause);
}

static void import_was_read(uv_work_t *job, int status)
{
    struct work *work = job->data;
    struct server *server = work->server;
    server_wake(server);
    if (!status && !work->result) {
        start_change(work);
    } else {
        control_fail(work->call, status ? "the server is stopping" : work->cause.text);
        work_end(work);
    }
    server_settle(server);
}

static bool take_path(struct work *work, const struct json *request)
{
    const char *path = json_str(json_get(request, "path"));
    if (!path || path[0] != '/' || strlen(path) >= sizeof work->path) {
        control_fail(work->call, "a whole path is needed");
        work_end(work);
        return false;
    }
    snprintf(work->path, sizeof work->path, "%s", path);
    return true;
}

static void do_import(struct work *work, const struct json *request)
{
    if (!take_path(work, request))
        return;
    work->job.data = work;
    uv_queue_work(&work->server->loop, &work->job, import_read, import_was_read);
}

static void do_restore(struct work *work, const struct json *request)
{
    work->restores = true;
    if (take_path(work, request))
        start_change(work);
}

static void do_hold(struct work *work, const struct json *request)
{
    (void)request;
    work->call->holding = true;
    pictures_hold(work->server->pictures, true);
    control_answer(work->call, "{}");
    work_end(work);
}

void control_do(struct control_call *call, const char *line, size_t len)
{
    static const struct {
        const char *word;
        void (*fn)(struct work *work, const struct json *request);
    } table[] = {
        {"token", do_token}, {"import", do_import}, {"restore", do_restore}, {"hold", do_hold}};
    struct json *request = NULL;
    struct work *work = work_new(call);
    if (!work || json_parse(line, len, &json_limits_wire, &request, NULL)) {
        control_fail(call, "not understood");
        if (work)
            work_end(work);
        return;
    }
    const char *word = json_str(json_get(request, "do"));
    size_t i = 0, count = sizeof table / sizeof *table;
    while (i < count && (!word || strcmp(word, table[i].word) != 0))
        i++;
    if (i < count) {
        table[i].fn(work, request);
    } else {
        control_fail(call, "not understood");
        work_end(work);
    }
    json_free(request);
}
