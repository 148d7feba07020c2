/* SPDX-License-Identifier: MIT
 *
 * The classes' rules and the ends of commands: by time, by the device's answer, after a start. Two
 * clocks count: in one boot of the machine the boot clock, which goes on during sleep and never
 * jumps, and always the wall clock; whichever says later decides. So no jump of the wall clock
 * makes an unlock go late.
 */
#include "actions/command_private.h"

#include <string.h>

#include "actions/alert.h"
#include "server/base/log.h"

static const struct class_rule class_rules[] = {
    {.command_class = CLASS_UNSAFE, .ttl_ms = 10000, .once = true, .join_ms = 3000},
    {.command_class = CLASS_SAFE, .ttl_ms = 300000, .kept_when_away = true},
};

const struct class_rule *class_rule(enum action_class command_class)
{
    for (size_t i = 0; i < sizeof class_rules / sizeof class_rules[0]; i++)
        if (class_rules[i].command_class == command_class)
            return &class_rules[i];
    return NULL;
}

const struct class_rule *command_rule(const struct command *command)
{
    const struct class_rule *rule = class_rule((enum action_class)command->command_class);
    return rule ? rule : &class_rules[0];
}

const char *command_opposite(const char *word)
{
    if (strcmp(word, "lock") == 0)
        return "unlock";
    return strcmp(word, "unlock") == 0 ? "lock" : NULL;
}

static bool same_boot(const struct actions *actions, const struct command *command)
{
    const char *boot_id = actions->options.clock->boot_id;
    return boot_id[0] != '\0' && strcmp(boot_id, command->boot_id) == 0;
}

int64_t command_remaining(const struct actions *actions, const struct command *command)
{
    int64_t wall = actions_wall(actions);
    int64_t left = command->expires_at - wall;
    if (same_boot(actions, command)) {
        int64_t boot_left = command->expires_boot - actions_boot(actions);
        return boot_left < left ? boot_left : left;
    }
    /* Another boot and a wall clock from before the command: nobody knows how late it is. */
    return wall < command->created_at ? 0 : left;
}

bool command_is_over(const struct actions *actions, const struct command *command)
{
    return command_remaining(actions, command) <= 0;
}

int64_t command_age(const struct actions *actions, const struct command *command)
{
    if (!same_boot(actions, command))
        return actions_wall(actions) - command->created_at;
    int64_t made_boot = command->expires_boot - (command->expires_at - command->created_at);
    return actions_boot(actions) - made_boot;
}

struct superseded_search {
    const struct command *command;
    const char *opposite;
    bool found;
};

static bool visit_superseding(void *arg, const void *record)
{
    struct superseded_search *search = arg;
    const struct command *other = record;
    if (strcmp(other->id, search->command->id) == 0)
        return false;
    search->found = strcmp(other->word, search->opposite) == 0;
    return !search->found;
}

bool command_is_superseded(struct actions *actions, const struct command *command)
{
    struct superseded_search search = {.command = command,
                                       .opposite = command_opposite(command->word)};
    if (search.opposite)
        registry_each_command_of_device(actions_registry(actions), command->device_id,
                                        visit_superseding, &search);
    return search.found;
}

static void note_due(struct actions *actions, const struct command *command)
{
    int64_t due = actions_boot(actions) + command_remaining(actions, command);
    if (!command_state_is_end(command->state) && due < actions->command_due)
        actions->command_due = due;
}

enum err command_put(struct actions *actions, const struct command *command)
{
    note_due(actions, command);
    return turn_put(actions->turn, REC_COMMAND, command);
}

enum err command_put_late(struct actions *actions, const struct command *command)
{
    note_due(actions, command);
    return turn_put_late(actions->turn, REC_COMMAND, command);
}

static void count_end(struct actions *actions, enum command_state state)
{
    switch (state) {
    case COMMAND_DONE:
        action_count(actions, COUNTER_COMMANDS_DONE);
        break;
    case COMMAND_FAILED:
        action_count(actions, COUNTER_COMMANDS_FAILED);
        break;
    case COMMAND_EXPIRED:
        action_count(actions, COUNTER_COMMANDS_EXPIRED);
        break;
    case COMMAND_UNKNOWN:
        action_count(actions, COUNTER_COMMANDS_UNKNOWN);
        break;
    case COMMAND_REFUSED:
        action_count(actions, COUNTER_COMMANDS_REFUSED);
        break;
    default:
        break;
    }
}

enum err command_end(struct actions *actions, const char *id, enum command_state state,
                     const char *reason, enum err told, const struct caller *by)
{
    const struct command *found = registry_command(actions_registry(actions), id);
    struct flight *flight = flight_find(actions, id);
    enum err err = ERR_OK;
    if (found && !command_state_is_end(found->state)) {
        struct command ended = *found;
        ended.state = state;
        ended.ended_at = actions_wall(actions);
        text_set(ended.reason, sizeof ended.reason, reason);
        struct caller device = by ? *by : (struct caller){0};
        text_set(device.way, sizeof device.way, "device");
        struct door_note note = {.caller = by ? &device : NULL,
                                 .word = ended.word,
                                 .device_id = ended.device_id,
                                 .command_id = ended.id,
                                 .allowed = true,
                                 .outcome = command_state_name(state),
                                 .reason = ended.reason};
        err = command_put(actions, &ended);
        if (err == ERR_OK)
            err = door_note(actions, &note);
        if (err == ERR_OK)
            count_end(actions, state);
    }
    flight_end(actions, flight, told == ERR_OK ? err : told);
    return err;
}

void command_end_by_time(struct actions *actions, const char *id)
{
    const struct command *command = registry_command(actions_registry(actions), id);
    if (!command)
        return;
    /* A sent one whose commit is still on its way never left. After a restart nobody knows. */
    const struct flight *flight = flight_find(actions, id);
    bool left = command->state == COMMAND_DELIVERED ||
                (command->state == COMMAND_SENT && (!flight || flight->published));
    if (left)
        command_end(actions, id, COMMAND_UNKNOWN, "the device did not answer in time",
                    ERR_NOT_HANDED_OVER, NULL);
    else
        command_end(actions, id, COMMAND_EXPIRED, "its time was over before it could be sent",
                    ERR_EXPIRED, NULL);
}

struct walk {
    struct actions *actions;
    int64_t due; /* boot ms */
    struct id_list over, forget;
};

static bool walk_visit(void *arg, const void *record)
{
    struct walk *walk = arg;
    const struct command *command = record;
    if (command_state_is_end(command->state)) {
        /* In both directions: a wall clock that jumped back must not keep it for ever. */
        int64_t age = actions_wall(walk->actions) - command->ended_at;
        if (age >= COMMAND_REMEMBER_MS || age <= -COMMAND_REMEMBER_MS)
            id_list_add(&walk->forget, command->id);
        return true;
    }
    int64_t left = command_remaining(walk->actions, command);
    int64_t due = actions_boot(walk->actions) + left;
    if (left <= 0)
        id_list_add(&walk->over, command->id);
    else if (due < walk->due)
        walk->due = due;
    return true;
}

static void commands_walk(struct actions *actions)
{
    struct walk walk = {.actions = actions, .due = INT64_MAX};
    actions->walked_at = actions_boot(actions);
    registry_each(actions_registry(actions), REC_COMMAND, walk_visit, &walk);
    actions->command_due = walk.due;
    for (size_t i = 0; i < walk.over.count; i++)
        command_end_by_time(actions, walk.over.ids[i]);
    for (size_t i = 0; i < walk.forget.count; i++)
        registry_forget(actions_registry(actions), REC_COMMAND, walk.forget.ids[i]);
    id_list_free(&walk.over);
    id_list_free(&walk.forget);
}

static void flights_check(struct actions *actions, int64_t boot)
{
    struct id_list late = {0};
    actions->flight_due = INT64_MAX;
    for (struct flight *flight = actions->flights; flight; flight = flight->hh.next) {
        if (flight->deadline <= boot)
            id_list_add(&late, flight->id);
        else if (flight->deadline < actions->flight_due)
            actions->flight_due = flight->deadline;
    }
    for (size_t i = 0; i < late.count; i++)
        command_lost(actions, late.ids[i], ERR_NOT_HANDED_OVER,
                     "the broker did not take it in time");
    size_t count = late.count;
    id_list_free(&late);
    /* Last: the adapter may call commands_link_down() at once. */
    if (count > 0)
        actions->options.ports.drop_link(actions->options.ports.owner,
                                         "the broker did not take a command in time");
}

void commands_tick(struct actions *actions)
{
    int64_t boot = actions_boot(actions);
    bool ready = turn_ready(actions->turn) == ERR_OK;
    if (actions->recover_again && ready)
        commands_recover(actions);
    if (actions->resend_again && ready && actions_link_up(actions))
        commands_send_kept(actions);
    if (boot >= actions->flight_due)
        flights_check(actions, boot);
    if (boot >= actions->command_due || boot - actions->walked_at >= COMMAND_WALK_MS)
        commands_walk(actions);
    alerts_tick(actions);
}

int64_t actions_next_due(const struct actions *actions)
{
    int64_t due = alerts_next_due(actions);
    if (actions->flight_due < due)
        due = actions->flight_due;
    size_t known = registry_count(turn_registry(actions->turn), REC_COMMAND);
    bool again = actions->recover_again || actions->resend_again;
    if (known > 0 && actions->command_due < due)
        due = actions->command_due;
    if ((known > 0 || again) && actions->walked_at + COMMAND_WALK_MS < due)
        due = actions->walked_at + COMMAND_WALK_MS;
    return due;
}

static bool visit_open(void *arg, const void *record)
{
    const struct command *command = record;
    if (!command_state_is_end(command->state))
        id_list_add(arg, command->id);
    return true;
}

static void recover_one(struct actions *actions, const char *id)
{
    const struct command *command = registry_command(actions_registry(actions), id);
    const struct class_rule *rule = command_rule(command);
    const struct flight *flight = flight_find(actions, id);
    if (command_is_over(actions, command)) {
        command_end_by_time(actions, id);
    } else if (rule->once && command->state == COMMAND_QUEUED) {
        command_end(actions, id, COMMAND_EXPIRED,
                    "the server loaded its state anew before it was sent", ERR_NOT_KEPT, NULL);
    } else if (rule->once) {
        command_end(actions, id, COMMAND_UNKNOWN,
                    "the server loaded its state anew before the answer", ERR_NOT_KEPT, NULL);
    } else if (command->state == COMMAND_SENT && !(flight && flight->published)) {
        struct command kept = *command;
        kept.state = COMMAND_QUEUED;
        (void)command_put(actions, &kept);
    }
}

/* Those whose command is gone after a reload, or never came to be. */
static void flights_sweep(struct actions *actions)
{
    struct flight *next;
    for (struct flight *flight = actions->flights; flight; flight = next) {
        next = flight->hh.next;
        const struct command *command = registry_command(actions_registry(actions), flight->id);
        if (!command || command->state != COMMAND_SENT)
            flight_end(actions, flight, ERR_NOT_KEPT);
    }
}

void commands_recover(struct actions *actions)
{
    flights_sweep(actions);
    actions->command_due = 0;
    actions->recover_again = turn_ready(actions->turn) != ERR_OK;
    if (!actions->recover_again) {
        struct id_list open = {0};
        registry_each(actions_registry(actions), REC_COMMAND, visit_open, &open);
        for (size_t i = 0; i < open.count; i++)
            recover_one(actions, open.ids[i]);
        if (open.count > 0)
            log_info("actions", "%zu commands were open", open.count);
        id_list_free(&open);
    }
    if (actions_link_up(actions))
        commands_send_kept(actions);
    alerts_recover(actions);
}
