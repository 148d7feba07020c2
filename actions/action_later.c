/* SPDX-License-Identifier: MIT
 *
 * What happens after the commit: publishes and answers. An asker is answered exactly once, also
 * when it asked for many devices. Refuses to know what was asked.
 */
#include "actions/action_private.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"

struct later {
    struct actions *actions;
    actions_later_fn *fn;
    void *arg;
};

struct ask {
    action_done_fn *done;
    void *arg;
    size_t open;
    enum err result;
};

struct message {
    char topic[NAME_SIZE];
    int qos;
    char payload[];
};

void text_set(char *out, size_t size, const char *text)
{
    text_copy(out, size, text ? text : "", text ? strlen(text) : 0);
}

static void later_out(void *arg, enum err kept)
{
    struct later *later = arg;
    struct actions *actions = later->actions;
    /* The turn is being freed: nothing may be queued there any more. */
    if (kept == ERR_STOPPING)
        actions->stopped = true;
    later->fn(actions, later->arg, actions->stopped ? ERR_STOPPING : kept);
    free(later);
    /* actions_free() may have come before the turn let this out. */
    if (--actions->users == 0)
        free(actions);
}

void actions_later(struct actions *actions, actions_later_fn *fn, void *arg)
{
    struct later *later = actions->stopped ? NULL : malloc(sizeof *later);
    if (!later) {
        fn(actions, arg, actions->stopped ? ERR_STOPPING : ERR_NO_MEMORY);
        return;
    }
    *later = (struct later){.actions = actions, .fn = fn, .arg = arg};
    actions->users++;
    turn_out(actions->turn, later_out, later);
}

static void message_out(struct actions *actions, void *arg, enum err kept)
{
    struct message *message = arg;
    if (kept == ERR_OK) {
        const struct ports *ports = &actions->options.ports;
        enum err err =
            ports->publish(ports->owner, message->topic, message->payload, message->qos, 0, NULL);
        if (err != ERR_OK)
            log_info("actions", "not sent to %s: %s", message->topic, err_message(err));
    }
    free(message);
}

void actions_publish_later(struct actions *actions, const char *topic, const char *payload, int qos)
{
    size_t size = strlen(payload) + 1;
    struct message *message = malloc(sizeof *message + size);
    if (!message) {
        log_error("actions", "not sent to %s: %s", topic, err_message(ERR_NO_MEMORY));
        return;
    }
    text_set(message->topic, sizeof message->topic, topic);
    message->qos = qos;
    memcpy(message->payload, payload, size);
    actions_later(actions, message_out, message);
}

static void topics_out(struct actions *actions, void *arg, enum err kept)
{
    (void)arg;
    actions->topics_pending = false;
    if (kept == ERR_OK)
        actions->options.ports.topics_changed(actions->options.ports.owner);
}

void actions_topics_changed(struct actions *actions)
{
    if (actions->topics_pending)
        return;
    actions->topics_pending = true;
    actions_later(actions, topics_out, NULL);
}

struct ask *ask_new(const struct action_request *request, bool *failed)
{
    *failed = false;
    if (!request->with_answer || !request->done)
        return NULL;
    struct ask *ask = malloc(sizeof *ask);
    if (!ask) {
        *failed = true;
        return NULL;
    }
    *ask = (struct ask){.done = request->done, .arg = request->done_arg, .open = 1};
    return ask;
}

void ask_part(struct ask *ask)
{
    if (ask)
        ask->open++;
}

static void ask_out(struct actions *actions, void *arg, enum err kept)
{
    (void)actions;
    struct ask *ask = arg;
    ask->done(ask->arg, ask->result == ERR_OK ? kept : ask->result);
    free(ask);
}

void ask_settle(struct actions *actions, struct ask *ask, enum err result)
{
    if (!ask)
        return;
    if (ask->result == ERR_OK)
        ask->result = result;
    if (--ask->open == 0)
        actions_later(actions, ask_out, ask);
}

void request_finish(struct actions *actions, const struct action_request *request, enum err result)
{
    bool failed;
    struct ask *ask = ask_new(request, &failed);
    if (failed)
        request->done(request->done_arg, ERR_NO_MEMORY);
    ask_settle(actions, ask, result);
}
