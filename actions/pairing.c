/* SPDX-License-Identifier: MIT
 *
 * The logic of hand-shakes. Two rules make strangers harmless: conflicts are judged only between
 * those that spoke for themselves, so what a board says of its phone never stands in the phone's
 * way; and a refusal goes only to a topic that is valid and that nobody else holds.
 */
#include "actions/pairing.h"

#include <stdio.h>
#include <string.h>

#include "actions/action_private.h"
#include "actions/command.h"
#include "server/base/buf.h"
#include "server/base/log.h"

struct claim {
    struct actions *actions;
    struct registry *registry;
    const char *device_id, *device_topic, *app_id, *app_topic;
    bool device_speaks, app_speaks;
};

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool valid(const char *name)
{
    return name_is_valid(name, strlen(name));
}

static bool valid_topic(const struct claim *claim, const char *topic)
{
    return valid(topic) && !same(topic, claim->actions->server_topic);
}

static const struct device *holder_device(const struct claim *claim, const char *topic)
{
    return registry_device_by_topic(claim->registry, topic);
}

static const struct app *holder_app(const struct claim *claim, const char *topic)
{
    return registry_app_by_topic(claim->registry, topic);
}

/* An order for `*` is one for all doors: nobody may be called so. */
static bool valid_id(const char *id)
{
    return valid(id) && !same(id, "*");
}

static bool claim_is_well_formed(const struct claim *claim)
{
    return valid_id(claim->device_id) && valid_id(claim->app_id) &&
           valid_topic(claim, claim->device_topic) && valid_topic(claim, claim->app_topic) &&
           !same(claim->device_id, claim->app_id) && !same(claim->device_topic, claim->app_topic);
}

static bool device_conflicts(const struct claim *claim)
{
    const struct device *known = registry_device(claim->registry, claim->device_id);
    const struct device *holder = holder_device(claim, claim->device_topic);
    const struct app *app = registry_app(claim->registry, claim->device_id);
    const struct app *app_holder = holder_app(claim, claim->device_topic);
    if ((app && app->spoke) || (app_holder && app_holder->spoke))
        return true;
    if (!claim->device_speaks)
        return false;
    return (known && known->spoke && !same(known->topic, claim->device_topic)) ||
           (holder && holder->spoke && !same(holder->id, claim->device_id));
}

static bool app_conflicts(const struct claim *claim)
{
    const struct app *known = registry_app(claim->registry, claim->app_id);
    const struct app *holder = holder_app(claim, claim->app_topic);
    const struct device *device = registry_device(claim->registry, claim->app_id);
    const struct device *device_holder = holder_device(claim, claim->app_topic);
    if ((device && device->spoke) || (device_holder && device_holder->spoke))
        return true;
    if (!claim->app_speaks)
        return false;
    return (known && known->spoke && !same(known->topic, claim->app_topic)) ||
           (holder && holder->spoke && !same(holder->id, claim->app_id));
}

/* Nothing new: those that speak did so before with the same id and topic, and are paired. They are
 * welcome also while pairing is closed, since a board hand-shakes at each of its starts. A pair it
 * does not know yet would be something new. */
static bool claim_is_repeated(const struct claim *claim)
{
    const struct device *device = registry_device(claim->registry, claim->device_id);
    const struct app *app = registry_app(claim->registry, claim->app_id);
    const struct pair *pair = registry_pair(claim->registry, claim->device_id, claim->app_id);
    if (!device || !app || !pair)
        return false;
    if (claim->device_speaks && (!device->spoke || !same(device->topic, claim->device_topic) ||
                                 !same(pair->app_topic, claim->app_topic)))
        return false;
    return !claim->app_speaks || (app->spoke && same(app->topic, claim->app_topic));
}

static bool claim_has_room(const struct claim *claim)
{
    const struct registry *registry = claim->registry;
    return (registry_device(registry, claim->device_id) ||
            registry_count(registry, REC_DEVICE) < PAIRING_DEVICES) &&
           (registry_app(registry, claim->app_id) ||
            registry_count(registry, REC_APP) < PAIRING_APPS) &&
           (registry_pair(registry, claim->device_id, claim->app_id) ||
            registry_count(registry, REC_PAIR) < PAIRING_PAIRS);
}

static enum err claim_check(const struct claim *claim)
{
    if (!claim_is_well_formed(claim))
        return ERR_BAD_INPUT;
    if (device_conflicts(claim) || app_conflicts(claim))
        return ERR_CONFLICT;
    /* Nobody can hold a window open yet, so `window` is closed. */
    if (claim->actions->options.pairing != PAIRING_OPEN && !claim_is_repeated(claim))
        return ERR_FORBIDDEN;
    return claim_has_room(claim) ? ERR_OK : ERR_LIMIT;
}

/* The board reads only the last word, so each word must be there. */
static void answer_device(const struct claim *claim, int state)
{
    char payload[3 * NAME_SIZE];
    snprintf(payload, sizeof payload, "hand_shake %s %s %d",
             valid(claim->app_id) ? claim->app_id : "-",
             valid(claim->device_id) ? claim->device_id : "-", state);
    actions_publish_later(claim->actions, claim->device_topic, payload, 1);
}

static void answer_app(const struct claim *claim, int state)
{
    const struct {
        const char *key, *value;
    } members[] = {{"device_id", claim->device_id},
                   {"device_topic", claim->device_topic},
                   {"app_id", claim->app_id},
                   {"app_topic", claim->app_topic}};
    struct buf buf;
    buf_init(&buf, 8192);
    buf_add_str(&buf, "{\"action_name\":\"hand_shake\"");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        buf_addf(&buf, ",\"%s\":", members[i].key);
        buf_add_json_str(&buf, valid(members[i].value) ? members[i].value : "");
    }
    buf_addf(&buf, ",\"state\":%d}", state);
    if (buf_error(&buf) == ERR_OK)
        actions_publish_later(claim->actions, claim->app_topic, buf.data, 1);
    buf_free(&buf);
}

static bool device_topic_is_nobody_elses(const struct claim *claim)
{
    const struct device *holder = holder_device(claim, claim->device_topic);
    return valid_topic(claim, claim->device_topic) && !holder_app(claim, claim->device_topic) &&
           !registry_pair_names_topic(claim->registry, claim->device_topic) &&
           (!holder || same(holder->id, claim->device_id));
}

static bool app_topic_is_nobody_elses(const struct claim *claim)
{
    const struct app *holder = holder_app(claim, claim->app_topic);
    const struct pair *pair = registry_pair(claim->registry, claim->device_id, claim->app_id);
    if (!valid_topic(claim, claim->app_topic) || holder_device(claim, claim->app_topic))
        return false;
    if (holder)
        return same(holder->id, claim->app_id);
    /* A board may have been told to answer there, for another app. */
    return !registry_pair_names_topic(claim->registry, claim->app_topic) ||
           (pair && same(pair->app_topic, claim->app_topic));
}

static enum err claim_refuse(const struct claim *claim, enum err why)
{
    action_count(claim->actions, COUNTER_HAND_SHAKE_REFUSED);
    log_info("actions", "refused: hand-shake of device %s on %s with app %s on %s: %s",
             claim->device_id, claim->device_topic, claim->app_id, claim->app_topic,
             err_message(why));
    if (claim->device_speaks && device_topic_is_nobody_elses(claim))
        answer_device(claim, 1);
    if (claim->app_speaks && app_topic_is_nobody_elses(claim))
        answer_app(claim, 1);
    return why;
}

/* A provisional holder gives way to one that speaks for itself. */
static enum err topic_release(const struct claim *claim, const char *topic, const char *keep_id)
{
    struct turn *turn = claim->actions->turn;
    const struct device *device = holder_device(claim, topic);
    const struct app *app = holder_app(claim, topic);
    enum err err = ERR_OK;
    if (device && !device->spoke && !same(device->id, keep_id)) {
        struct device loser = *device;
        loser.topic[0] = '\0';
        err = turn_put(turn, REC_DEVICE, &loser);
    }
    if (err == ERR_OK && app && !app->spoke && !same(app->id, keep_id)) {
        struct app loser = *app;
        loser.topic[0] = '\0';
        err = turn_put(turn, REC_APP, &loser);
    }
    return err;
}

static bool topic_is_free(const struct claim *claim, const char *topic)
{
    return !holder_device(claim, topic) && !holder_app(claim, topic);
}

static enum err apply_device(const struct claim *claim)
{
    enum err err = ERR_OK;
    if (claim->device_speaks)
        err = topic_release(claim, claim->device_topic, claim->device_id);
    if (err != ERR_OK)
        return err;
    const struct device *known = registry_device(claim->registry, claim->device_id);
    int64_t now = actions_wall(claim->actions);
    struct device device = {.created_at = now};
    if (known)
        device = *known;
    text_set(device.id, sizeof device.id, claim->device_id);
    if (claim->device_speaks) {
        text_set(device.topic, sizeof device.topic, claim->device_topic);
        device.spoke = true;
        device.seen_at = now;
        if (device.presence == PRESENCE_AWAY)
            device.presence = PRESENCE_UNKNOWN; /* it spoke */
    } else if (!known || (device.topic[0] == '\0' && topic_is_free(claim, claim->device_topic))) {
        text_set(device.topic, sizeof device.topic,
                 topic_is_free(claim, claim->device_topic) ? claim->device_topic : "");
    } else {
        return ERR_OK;
    }
    return turn_put(claim->actions->turn, REC_DEVICE, &device);
}

static enum err apply_app(const struct claim *claim)
{
    enum err err = ERR_OK;
    if (claim->app_speaks)
        err = topic_release(claim, claim->app_topic, claim->app_id);
    if (err != ERR_OK)
        return err;
    const struct app *known = registry_app(claim->registry, claim->app_id);
    int64_t now = actions_wall(claim->actions);
    struct app app = {.created_at = now};
    if (known)
        app = *known;
    text_set(app.id, sizeof app.id, claim->app_id);
    if (claim->app_speaks) {
        text_set(app.topic, sizeof app.topic, claim->app_topic);
        app.spoke = true;
        app.seen_at = now;
    } else if (!known || (app.topic[0] == '\0' && topic_is_free(claim, claim->app_topic))) {
        text_set(app.topic, sizeof app.topic,
                 topic_is_free(claim, claim->app_topic) ? claim->app_topic : "");
    } else {
        return ERR_OK;
    }
    return turn_put(claim->actions->turn, REC_APP, &app);
}

/* The board's word about where it answers stands; a phone's only until then. */
static enum err apply_pair(const struct claim *claim)
{
    const struct pair *known = registry_pair(claim->registry, claim->device_id, claim->app_id);
    if (known && (!claim->device_speaks || same(known->app_topic, claim->app_topic)))
        return ERR_OK;
    struct pair pair = {.created_at = actions_wall(claim->actions)};
    if (known)
        pair = *known;
    text_set(pair.device_id, sizeof pair.device_id, claim->device_id);
    text_set(pair.app_id, sizeof pair.app_id, claim->app_id);
    text_set(pair.app_topic, sizeof pair.app_topic, claim->app_topic);
    return turn_put(claim->actions->turn, REC_PAIR, &pair);
}

static enum err claim_apply(const struct claim *claim)
{
    bool repeated = claim_is_repeated(claim);
    enum err err = apply_device(claim);
    if (err == ERR_OK)
        err = apply_app(claim);
    if (err == ERR_OK)
        err = apply_pair(claim);
    if (err != ERR_OK) {
        action_count(claim->actions, COUNTER_NOT_KEPT);
        return err;
    }
    /* Before the answers: whoever hears them may use the topics at once. */
    if (!repeated)
        actions_topics_changed(claim->actions);
    if (claim->device_speaks)
        answer_device(claim, 0);
    if (claim->app_speaks)
        answer_app(claim, 0);
    if (claim->device_speaks)
        commands_device_back(claim->actions, claim->device_id);
    return ERR_OK;
}

enum err pairing_hand_shake(struct action_context *context, enum speaker speaker)
{
    const struct words *words = context->request->words;
    struct claim claim = {.actions = context->actions,
                          .registry = turn_registry(context->turn),
                          .device_id = words->word[1],
                          .device_topic = words->word[2],
                          .app_id = words->word[3],
                          .app_topic = words->word[4],
                          .device_speaks = (speaker & SPEAKER_DEVICE) != 0,
                          .app_speaks = (speaker & SPEAKER_APP) != 0};
    enum err err = turn_ready(context->turn);
    if (err != ERR_OK) {
        action_count(context->actions, COUNTER_NOT_KEPT);
        return err;
    }
    err = claim_check(&claim);
    return err == ERR_OK ? claim_apply(&claim) : claim_refuse(&claim, err);
}
