/* SPDX-License-Identifier: MIT
 *
 * A request for a command: refuse, join or make. The phone sends one press twice, by MQTT and by
 * HTTP, so what asks for the same joins what is there already (CONTRACT 1.3). Each request has its
 * own row in the log of the door, whatever became of it.
 */
#include "actions/command.h"

#include <stdlib.h>
#include <string.h>

#include "actions/command_private.h"
#include "server/base/log.h"

/* One request, for one device or for all. */
struct order {
    struct actions *actions;
    const struct action_request *request;
    const struct action *action;
    const struct class_rule *rule;
    const char *app_id;
    struct ask *ask;
};

static enum err order_note(const struct order *order, const char *device_id, const char *command_id,
                           bool allowed, const char *outcome, const char *reason)
{
    struct door_note note = {.caller = &order->request->caller,
                             .word = order->action->word,
                             .device_id = device_id,
                             .command_id = command_id,
                             .allowed = allowed,
                             .outcome = outcome,
                             .reason = reason};
    enum err err = door_note(order->actions, &note);
    if (err != ERR_OK)
        action_count(order->actions, COUNTER_NOT_KEPT);
    return err;
}

static void order_refuse(const struct order *order, const char *device_id, enum err why)
{
    action_count(order->actions, COUNTER_COMMANDS_REFUSED);
    (void)order_note(order, device_id, "", false, err_name(why), err_message(why));
    ask_settle(order->actions, order->ask, why);
}

/* What a joiner hears of a command that ended: what its first asker heard. */
static enum err handover_of(const struct command *command)
{
    switch (command->state) {
    case COMMAND_DELIVERED:
    case COMMAND_DONE:
    case COMMAND_FAILED: /* it was handed over; that the device said no is another matter */
        return ERR_OK;
    case COMMAND_EXPIRED:
        return ERR_EXPIRED;
    case COMMAND_CANCELLED:
        return ERR_CONFLICT;
    default:
        return ERR_NOT_HANDED_OVER;
    }
}

static void order_join(const struct order *order, const struct command *command)
{
    struct actions *actions = order->actions;
    char id[SECRET_ID_SIZE];
    text_set(id, sizeof id, command->id);
    struct flight *flight = flight_find(actions, id);
    const struct device *device = registry_device(actions_registry(actions), command->device_id);
    enum err told = handover_of(command);
    enum err err = order_note(order, command->device_id, id, true,
                              command_state_name(command->state), "joined");
    if (err != ERR_OK) {
        ask_settle(actions, order->ask, err);
        return;
    }
    action_count(actions, COUNTER_COMMANDS_JOINED);
    if (command->state == COMMAND_QUEUED)
        told = device && device->presence == PRESENCE_AWAY ? ERR_AWAY : ERR_NO_LINK;
    else if (command->state == COMMAND_SENT && flight && flight->taken)
        told = ERR_OK;
    else if (command->state == COMMAND_SENT && flight) {
        err = flight_wait(flight, order->ask);
        if (err == ERR_OK)
            return;
        told = err;
    }
    ask_settle(actions, order->ask, told);
}

struct join_search {
    const struct order *order;
    const struct command *found;
};

/* Newest first: an opposite command that came since ends the search, so that `lock`, `unlock`,
 * `lock` within the first one's time locks again. */
static bool visit_joinable(void *arg, const void *record)
{
    struct join_search *search = arg;
    const struct order *order = search->order;
    const struct command *command = record;
    const char *opposite = command_opposite(order->action->word);
    if (opposite && strcmp(command->word, opposite) == 0)
        return false;
    if (strcmp(command->word, order->action->word) != 0)
        return true;
    int64_t age = command_age(order->actions, command);
    bool open = !command_state_is_end(command->state) && !command_is_over(order->actions, command);
    if (open || (age >= 0 && age < order->rule->join_ms))
        search->found = command;
    return false;
}

struct crowd {
    size_t open, known;
    struct id_list kept, old;
};

static bool visit_crowd(void *arg, const void *record)
{
    struct crowd *crowd = arg;
    const struct command *command = record;
    bool ended = command_state_is_end(command->state);
    crowd->open += !ended;
    if (command->state == COMMAND_QUEUED)
        id_list_add(&crowd->kept, command->id);
    if (ended && ++crowd->known > COMMAND_DEVICE_KNOWN)
        id_list_add(&crowd->old, command->id);
    return true;
}

/* Makes room: ERR_LIMIT when the device has too many open commands. Ends the kept one, which the
 * new one replaces. */
static enum err order_make_room(const struct order *order, const char *device_id)
{
    struct actions *actions = order->actions;
    struct crowd crowd = {0};
    registry_each_command_of_device(actions_registry(actions), device_id, visit_crowd, &crowd);
    for (size_t i = 0; i < crowd.kept.count; i++)
        command_end(actions, crowd.kept.ids[i], COMMAND_CANCELLED, "a newer command took its place",
                    ERR_CONFLICT, NULL);
    for (size_t i = 0; i < crowd.old.count; i++)
        registry_forget(actions_registry(actions), REC_COMMAND, crowd.old.ids[i]);
    size_t open = crowd.open - crowd.kept.count;
    id_list_free(&crowd.kept);
    id_list_free(&crowd.old);
    return open < COMMAND_DEVICE_OPEN ? ERR_OK : ERR_LIMIT;
}

static void order_fill(const struct order *order, const char *device_id, struct command *command)
{
    struct actions *actions = order->actions;
    const struct caller *caller = &order->request->caller;
    *command = (struct command){.command_class = (int)order->action->command_class};
    secret_new_id(command->id);
    text_set(command->device_id, sizeof command->device_id, device_id);
    text_set(command->app_id, sizeof command->app_id, order->app_id);
    text_set(command->word, sizeof command->word, order->action->word);
    text_set(command->asked_by, sizeof command->asked_by, caller->name);
    text_set(command->way, sizeof command->way, caller->way);
    command->created_at = actions_wall(actions);
    command->expires_at = command->created_at + order->rule->ttl_ms;
    command->expires_boot = actions_boot(actions) + order->rule->ttl_ms;
    text_set(command->boot_id, sizeof command->boot_id, actions->options.clock->boot_id);
}

/* `away`: why it can't go at once, ERR_OK when it can. */
static void order_make(const struct order *order, const char *device_id, enum err away)
{
    struct actions *actions = order->actions;
    struct command command;
    enum err err = order_make_room(order, device_id);
    if (err != ERR_OK) {
        order_refuse(order, device_id, err);
        return;
    }
    order_fill(order, device_id, &command);
    command.state = away == ERR_OK ? COMMAND_SENT : COMMAND_QUEUED;
    command.sent_at = away == ERR_OK ? command.created_at : 0;
    struct flight *flight = away == ERR_OK ? flight_get(actions, command.id) : NULL;
    if (away == ERR_OK && (!flight || flight_wait(flight, order->ask) != ERR_OK)) {
        flight_end(actions, flight, ERR_NO_MEMORY);
        order_refuse(order, device_id, ERR_NO_MEMORY);
        return;
    }
    /* The row first: what has no row does not happen. */
    err = order_note(order, device_id, command.id, true, command_state_name(command.state),
                     away == ERR_OK ? "" : err_message(away));
    if (err == ERR_OK)
        err = command_put(actions, &command);
    if (err == ERR_OK)
        action_count(actions, COUNTER_COMMANDS);
    if (flight && err == ERR_OK)
        command_send(actions, flight);
    else if (flight)
        flight_end(actions, flight, err);
    else
        ask_settle(actions, order->ask, err != ERR_OK ? err : away);
}

static enum err order_obstacle(const struct order *order, const struct device *device)
{
    if (!actions_link_up(order->actions))
        return ERR_NO_LINK;
    return device->presence == PRESENCE_AWAY ? ERR_AWAY : ERR_OK;
}

/* One device of the request; closes one part of the ask. */
static void order_one(const struct order *order, const char *device_id)
{
    struct registry *registry = actions_registry(order->actions);
    const struct device *device = registry_device(registry, device_id);
    if (!device) {
        action_count(order->actions, COUNTER_UNKNOWN_DEVICE);
        log_info("actions", "%s for %s, which is no device, by %s from %s", order->action->word,
                 device_id, order->request->caller.name, order->request->caller.source);
    }
    if (!device || device->topic[0] == '\0') {
        order_refuse(order, device_id, ERR_NO_DEVICE);
        return;
    }
    if (order->rule->once && (order->actions->stalled || order->request->caller.late)) {
        order_refuse(order, device_id, ERR_STALLED);
        return;
    }
    struct join_search search = {.order = order};
    registry_each_command_of_device(registry, device_id, visit_joinable, &search);
    enum err away = order_obstacle(order, device);
    if (search.found)
        order_join(order, search.found);
    else if (away != ERR_OK && !order->rule->kept_when_away)
        order_refuse(order, device_id, away);
    else
        order_make(order, device_id, away);
}

struct all_devices {
    const struct registry *registry;
    char **ids;
    size_t count, cap;
    bool failed;
};

static bool visit_device(void *arg, const void *record)
{
    struct all_devices *all = arg;
    const struct device *device = record;
    /* An import may bring a topic that another device has: it is one board, and is told once. */
    if (device->topic[0] == '\0' ||
        registry_device_by_topic(all->registry, device->topic) != device)
        return true;
    if (all->count == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 64;
        char **ids = realloc(all->ids, cap * sizeof *ids);
        all->failed = !ids;
        if (!ids)
            return false;
        all->ids = ids;
        all->cap = cap;
    }
    all->ids[all->count] = strdup(device->id);
    all->failed = !all->ids[all->count];
    all->count += !all->failed;
    return !all->failed;
}

/* Sent to all that can be reached; the answer is ERR_OK only when all were. */
static void order_all(const struct order *order)
{
    struct all_devices all = {.registry = actions_registry(order->actions)};
    registry_each(actions_registry(order->actions), REC_DEVICE, visit_device, &all);
    if (all.failed || all.count == 0) {
        ask_part(order->ask);
        order_refuse(order, "*", all.failed ? ERR_NO_MEMORY : ERR_NO_DEVICE);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (!all.failed) {
            ask_part(order->ask);
            order_one(order, all.ids[i]);
        }
        free(all.ids[i]);
    }
    free(all.ids);
    ask_settle(order->actions, order->ask, ERR_OK);
}

enum err command_request(struct action_context *context, const char *device_id, const char *app_id)
{
    struct actions *actions = context->actions;
    struct order order = {.actions = actions,
                          .request = context->request,
                          .action = context->action,
                          .rule = class_rule(context->action->command_class),
                          .app_id = app_id};
    enum err err = turn_ready(context->turn);
    if (!order.rule)
        return ERR_INTERNAL;
    if (err != ERR_OK) {
        action_count(actions, COUNTER_NOT_KEPT);
        action_count(actions, COUNTER_COMMANDS_REFUSED);
        return err;
    }
    bool failed;
    order.ask = ask_new(context->request, &failed);
    if (failed)
        return ERR_NO_MEMORY;
    context->takes_over_done = true;
    if (!device_id || strcmp(device_id, "*") == 0)
        order_all(&order);
    else
        order_one(&order, device_id);
    return ERR_OK;
}
