/* SPDX-License-Identifier: MIT
 *
 * data KEY VALUE...     "data door front door, left"
 *
 * Sets one key of `GET /data`. VALUE is all that follows KEY, spaces included, at most 1024 bytes.
 */
#include <string.h>

#include "actions/action.h"
#include "server/base/log.h"

#define DATA_KEYS 4096

static bool data_visit(void *arg, const void *record)
{
    int64_t *last = arg;
    const struct data_item *item = record;
    if (item->seq > *last)
        *last = item->seq;
    return true;
}

static enum err data_refuse(struct action_context *context, enum err err, const char *why)
{
    action_count(context->actions, COUNTER_BAD_ARGUMENTS);
    log_info("actions", "data %s: %s", context->request->words->word[1], why);
    return err;
}

static enum err data_exec(struct action_context *context)
{
    const char *key = context->request->words->word[1];
    const char *value = context->request->words->rest[2];
    struct registry *registry = turn_registry(context->turn);
    const struct data_item *known = registry_data(registry, key);
    struct data_item item = {.changed_at =
                                 clock_wall_ms(actions_get_options(context->actions)->clock)};
    if (strlen(key) >= sizeof item.key || strlen(value) >= sizeof item.value)
        return data_refuse(context, ERR_TOO_LARGE, "the key or the value is too long");
    if (!known && registry_count(registry, REC_DATA) >= DATA_KEYS)
        return data_refuse(context, ERR_LIMIT, "there are too many keys");
    if (known)
        item.seq = known->seq - 1;
    else
        registry_each(registry, REC_DATA, data_visit, &item.seq);
    item.seq++;
    text_copy(item.key, sizeof item.key, key, strlen(key));
    text_copy(item.value, sizeof item.value, value, strlen(value));
    enum err err = turn_put(context->turn, REC_DATA, &item);
    if (err != ERR_OK)
        action_count(context->actions, COUNTER_NOT_KEPT);
    return err;
}

const struct action action_data = {
    .word = "data",
    .grammar = "KEY VALUE...",
    .help = "Set one key of /data.",
    .command_class = CLASS_NONE,
    .role = ROLE_MEMBER,
    .need = NEED_ALL,
    .min_args = 2,
    .max_args = WORDS_MAX,
    .exec = data_exec,
};
