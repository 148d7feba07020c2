/* SPDX-License-Identifier: MIT
 *
 * The device's answer. It ends the newest open command of that device and word. The state of a lock
 * is what the lock says, so an answer that comes after its command was given up still counts for
 * the lock; one that nobody asked for, and a second one, do not.
 */
#include <string.h>

#include "actions/command_private.h"
#include "server/base/log.h"

#define ANSWER_LATE_MS 60000 /* how long after its command's end an answer still counts */

struct answer_search {
    const char *word;
    const struct command *open, *last; /* newest open one; newest of all */
};

static bool visit_answered(void *arg, const void *record)
{
    struct answer_search *search = arg;
    const struct command *command = record;
    if (strcmp(command->word, search->word) != 0)
        return true;
    if (!search->last)
        search->last = command;
    if (!command_state_is_end(command->state))
        search->open = command;
    return !search->open;
}

static enum lock_state lock_after(const char *word)
{
    if (strcmp(word, "lock") == 0)
        return LOCK_LOCKED;
    return strcmp(word, "unlock") == 0 ? LOCK_UNLOCKED : LOCK_UNKNOWN;
}

static enum err device_says(struct actions *actions, const char *device_id, const char *word,
                            bool success)
{
    struct device device = *registry_device(actions_registry(actions), device_id);
    enum lock_state lock = success ? lock_after(word) : LOCK_UNKNOWN;
    device.seen_at = actions_wall(actions);
    if (device.presence == PRESENCE_AWAY)
        device.presence = PRESENCE_UNKNOWN; /* it spoke */
    if (lock != LOCK_UNKNOWN && lock != device.lock) {
        device.lock = lock;
        device.changed_at = device.seen_at;
    }
    return turn_put(actions->turn, REC_DEVICE, &device);
}

static enum err answer_open(struct actions *actions, const char *command_id, const char *device_id,
                            const char *word, bool success, const struct caller *caller)
{
    char id[SECRET_ID_SIZE];
    text_set(id, sizeof id, command_id);
    enum err err = device_says(actions, device_id, word, success);
    if (err != ERR_OK)
        return err;
    /* An answer proves the handover, also when it overtook the broker's acknowledgement. */
    return command_end(actions, id, success ? COMMAND_DONE : COMMAND_FAILED,
                       success ? "" : "the device said no", ERR_OK, caller);
}

static enum err answer_closed(struct actions *actions, const struct command *last,
                              const char *device_id, const char *word, bool success)
{
    bool lately = last && actions_wall(actions) - last->ended_at < ANSWER_LATE_MS;
    if (lately && (last->state == COMMAND_DONE || last->state == COMMAND_FAILED)) {
        action_count(actions, COUNTER_ANSWERS_DOUBLED);
        log_warn("actions",
                 "a second answer of %s to one %s: two boards may share this id and its topic",
                 device_id, word);
        return ERR_OK;
    }
    action_count(actions, COUNTER_ANSWERS_UNMATCHED);
    log_info("actions", "an answer of %s to no open %s", device_id, word);
    if (lately && (last->state == COMMAND_UNKNOWN || last->state == COMMAND_EXPIRED))
        return device_says(actions, device_id, word, success);
    return ERR_OK;
}

enum err command_answered(struct action_context *context, const char *word, const char *device_id,
                          bool success)
{
    struct actions *actions = context->actions;
    enum err err = turn_ready(context->turn);
    if (err != ERR_OK) {
        action_count(actions, COUNTER_NOT_KEPT);
        return err;
    }
    if (!registry_device(actions_registry(actions), device_id)) {
        action_count(actions, COUNTER_ANSWERS_UNMATCHED);
        log_info("actions", "an answer to %s by %s, which is no device", word, device_id);
        return ERR_NO_DEVICE;
    }
    struct answer_search search = {.word = word};
    registry_each_command_of_device(actions_registry(actions), device_id, visit_answered, &search);
    if (search.open)
        return answer_open(actions, search.open->id, device_id, word, success,
                           &context->request->caller);
    return answer_closed(actions, search.last, device_id, word, success);
}
