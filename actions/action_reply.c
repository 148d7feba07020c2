/* SPDX-License-Identifier: MIT
 *
 * The answer rule of CONTRACT 1.1. An action may return a text "TOPIC MESSAGE"; the message is
 * published there at QoS 0, but only to the asker's own topic or to an app topic paired with the
 * device concerned, never to a device's topic, and never when a command word begins either part:
 * orders reach a device only as commands. Whatever else is withheld and counted.
 */
#include "actions/action_private.h"

#include <string.h>

#include "server/base/log.h"

#define REPLY_MAX 4096 /* bytes of topic and message */

struct reply_search {
    struct registry *registry;
    const char *topic;
    bool found;
};

/* Whether `word` is the word of a command to devices. */
static bool action_is_command_word(const struct actions *actions, const char *word, size_t len)
{
    char key[33];
    if (len == 0 || len >= sizeof key)
        return false;
    memcpy(key, word, len);
    key[len] = '\0';
    const struct action *action = action_find(actions, key);
    return action && action->command_class != CLASS_NONE;
}

static bool reply_visit_pair(void *arg, const void *record)
{
    struct reply_search *search = arg;
    const struct pair *pair = record;
    const struct app *app = registry_app(search->registry, pair->app_id);
    search->found = strcmp(pair->app_topic, search->topic) == 0 ||
                    (app && strcmp(app->topic, search->topic) == 0);
    return !search->found;
}

/* Whether the answer of this action may go to `topic`. */
static bool reply_topic_is_allowed(struct action_context *context, const char *topic)
{
    struct actions *actions = context->actions;
    struct registry *registry = actions_registry(actions);
    const struct caller *caller = &context->request->caller;
    if (registry_device_by_topic(registry, topic) || strcmp(topic, actions->server_topic) == 0)
        return false;
    /* A token's name is no app's id, so only who came by MQTT has an own topic. */
    if (!caller->anonymous && strcmp(caller->way, "mqtt") == 0) {
        const struct app *app = registry_app(registry, caller->name);
        if (app && strcmp(app->topic, topic) == 0)
            return true;
    }
    struct reply_search search = {.registry = registry, .topic = topic};
    if (context->concerned)
        registry_each_pair_of_device(registry, context->concerned, reply_visit_pair, &search);
    return search.found;
}

static bool reply_split(const char *reply, char topic[static NAME_SIZE], const char **message)
{
    const char *space = strchr(reply, ' ');
    if (!space || !name_is_valid(reply, (size_t)(space - reply)) || strlen(reply) > REPLY_MAX)
        return false;
    text_copy(topic, NAME_SIZE, reply, (size_t)(space - reply));
    *message = space + 1;
    return text_is_utf8(*message, strlen(*message));
}

static bool begins_with_command_word(const struct actions *actions, const char *text)
{
    text += strspn(text, " \t\r\n");
    return action_is_command_word(actions, text, strcspn(text, " \t\r\n"));
}

void action_reply(struct action_context *context)
{
    char topic[NAME_SIZE];
    const char *message = NULL;
    if (reply_split(context->reply, topic, &message) &&
        !begins_with_command_word(context->actions, topic) &&
        !begins_with_command_word(context->actions, message) &&
        reply_topic_is_allowed(context, topic)) {
        actions_publish_later(context->actions, topic, message, 0);
        return;
    }
    action_count(context->actions, COUNTER_REPLY_WITHHELD);
    log_warn("actions", "the answer of %s may not be sent where it asks: %.200s",
             context->action->word, context->reply);
}
