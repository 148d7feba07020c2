/* SPDX-License-Identifier: MIT
 *
 * What an alert is: reports of one device to the same topics within 10 s are one, and a picture
 * belongs to the newest one that waits for it. When it goes out is in alert_send.c.
 */
#include "actions/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/alert_private.h"
#include "server/base/buf.h"
#include "server/base/log.h"

#define ALERT_TOPICS_BYTES 65536

struct topic_set {
    const char **topics; /* into the registry or the request */
    size_t count, cap;
    bool failed;
};

int64_t alert_age(const struct actions *actions, const struct alert *alert)
{
    return actions_wall(actions) - alert->created_at;
}

static void topic_set_add(struct topic_set *set, const char *topic)
{
    if (set->count == set->cap) {
        size_t cap = set->cap ? 2 * set->cap : 8;
        const char **topics = realloc(set->topics, cap * sizeof(const char *));
        set->failed = set->failed || !topics;
        if (!topics)
            return;
        set->topics = topics;
        set->cap = cap;
    }
    set->topics[set->count++] = topic;
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted and without doubles, so that equal sets are equal texts. Frees the set; NULL: no memory.
 */
static char *topic_set_take(struct topic_set *set)
{
    struct buf buf;
    buf_init(&buf, ALERT_TOPICS_BYTES);
    buf_add_str(&buf, ""); /* no topic is a text too */
    if (set->count > 0)
        qsort(set->topics, set->count, sizeof(const char *), compare_topics);
    for (size_t i = 0; i < set->count; i++)
        if (i == 0 || strcmp(set->topics[i - 1], set->topics[i]) != 0)
            buf_addf(&buf, "%s%s", i == 0 ? "" : " ", set->topics[i]);
    free(set->topics);
    bool failed = set->failed || buf_error(&buf) != ERR_OK;
    *set = (struct topic_set){0};
    if (failed) {
        buf_free(&buf);
        return NULL;
    }
    return buf_take(&buf);
}

/* An app's own topic, or one that a board was told to answer to; never a device's. */
static bool topic_is_an_apps(struct actions *actions, const char *topic)
{
    struct registry *registry = actions_registry(actions);
    if (!name_is_valid(topic, strlen(topic)) || strcmp(topic, actions->server_topic) == 0)
        return false;
    return !registry_device_by_topic(registry, topic) &&
           (registry_app_by_topic(registry, topic) || registry_pair_names_topic(registry, topic));
}

struct alert_search {
    const struct actions *actions;
    const char *device_id, *topics; /* topics NULL: a waiting one */
    const struct alert *found;
};

/* The walk goes in the order of appearance: the last match is the newest. */
static bool visit_alert(void *arg, const void *record)
{
    struct alert_search *search = arg;
    const struct alert *alert = record;
    int64_t age = alert_age(search->actions, alert);
    bool matches = strcmp(alert->device_id, search->device_id) == 0;
    if (search->topics)
        matches =
            matches && llabs(age) < ALERT_JOIN_MS && strcmp(alert->topics, search->topics) == 0;
    else
        matches = matches && llabs(age) < ALERT_PICTURE_MS && alert->picture_id[0] == '\0';
    if (matches)
        search->found = alert;
    return true;
}

static const struct alert *alert_find(struct actions *actions, const char *device_id,
                                      const char *topics)
{
    struct alert_search search = {.actions = actions, .device_id = device_id, .topics = topics};
    registry_each(actions_registry(actions), REC_ALERT, visit_alert, &search);
    return search.found;
}

static void alert_fill(struct actions *actions, struct alert *alert, const char *device_id,
                       char *topics)
{
    *alert = (struct alert){.topics = topics, .created_at = actions_wall(actions)};
    secret_new_id(alert->id);
    secret_new_id(alert->capability);
    text_set(alert->device_id, sizeof alert->device_id, device_id);
}

static enum err alert_refuse(struct actions *actions, enum err err)
{
    if (err == ERR_LIMIT)
        log_warn("actions", "more than %d alerts within a minute: this one is refused",
                 ALERTS_OPEN);
    else if (err != ERR_NO_MEMORY)
        action_count(actions, COUNTER_NOT_KEPT);
    return err;
}

static enum err alert_make(struct actions *actions, const char *device_id, char *topics,
                           const char *claimed)
{
    struct alert alert;
    alert_fill(actions, &alert, device_id, topics);
    text_set(alert.claimed, sizeof alert.claimed, claimed);
    enum err err = registry_count(actions_registry(actions), REC_ALERT) < ALERTS_OPEN
                       ? turn_put(actions->turn, REC_ALERT, &alert)
                       : ERR_LIMIT;
    if (err != ERR_OK)
        return alert_refuse(actions, err);
    action_count(actions, COUNTER_ALERTS);
    return alert_wait_until(actions, alert.id,
                            actions_boot(actions) + actions->options.picture_wait_ms);
}

enum err alert_raise(struct action_context *context, const char *device_id,
                     const char *const *topics, size_t count, const char *claimed)
{
    struct actions *actions = context->actions;
    struct topic_set set = {0};
    for (size_t i = 0; i < count; i++) {
        if (topic_is_an_apps(actions, topics[i])) {
            topic_set_add(&set, topics[i]);
        } else {
            action_count(actions, COUNTER_UNKNOWN_TOPIC);
            log_info("actions", "an alert names a topic that is no app's: %s", topics[i]);
        }
    }
    /* A camera that calls itself something impossible is not named; the alert counts more. */
    if (!device_id || !name_is_valid(device_id, strlen(device_id)))
        device_id = "";
    char *known = topic_set_take(&set);
    if (!known)
        return ERR_NO_MEMORY;
    enum err err = ERR_OK;
    if (alert_find(actions, device_id, known))
        action_count(actions, COUNTER_ALERTS_JOINED);
    else
        err = alert_make(actions, device_id, known, claimed);
    free(known);
    return err;
}

struct pair_walk {
    struct actions *actions;
    struct topic_set set;
};

static bool visit_pair(void *arg, const void *record)
{
    struct pair_walk *walk = arg;
    const struct pair *pair = record;
    const struct app *app = registry_app(actions_registry(walk->actions), pair->app_id);
    const char *topic = app && app->topic[0] != '\0' ? app->topic : pair->app_topic;
    if (topic_is_an_apps(walk->actions, topic))
        topic_set_add(&walk->set, topic);
    return true;
}

/* An alert that the picture itself makes, for the apps paired with its device. */
static enum err alert_for_picture(struct actions *actions, const char *device_id,
                                  struct alert *alert)
{
    struct pair_walk walk = {.actions = actions};
    struct registry *registry = actions_registry(actions);
    if (registry_count(registry, REC_ALERT) >= ALERTS_OPEN)
        return ERR_LIMIT;
    if (!registry_device(registry, device_id))
        device_id = "";
    registry_each_pair_of_device(registry, device_id, visit_pair, &walk);
    char *topics = topic_set_take(&walk.set);
    if (!topics)
        return ERR_NO_MEMORY;
    alert_fill(actions, alert, device_id, topics);
    action_count(actions, COUNTER_ALERTS);
    return ERR_OK;
}

/* Notes picture and alert. */
static enum err picture_note(struct actions *actions, const struct picture *stored)
{
    struct picture picture = *stored;
    struct alert alert;
    const struct alert *found = alert_find(actions, picture.topic, NULL);
    if (!found)
        found = alert_find(actions, "", NULL);
    if (found && !record_copy_into(REC_ALERT, &alert, found))
        return ERR_NO_MEMORY;
    enum err err = found ? ERR_OK : alert_for_picture(actions, picture.topic, &alert);
    if (err != ERR_OK)
        return err;
    text_set(alert.picture_id, sizeof alert.picture_id, picture.id);
    text_set(picture.alert_id, sizeof picture.alert_id, alert.id);
    picture.created_at = actions_wall(actions);
    err = turn_put(actions->turn, REC_ALERT, &alert);
    if (err == ERR_OK)
        err = turn_put(actions->turn, REC_PICTURE, &picture);
    if (err == ERR_OK && alert.sent_at == 0) {
        err = alert_wait_until(actions, alert.id, actions_boot(actions));
        alert_send(actions, alert.id);
    }
    record_clear(REC_ALERT, &alert);
    return err;
}

void alert_picture_stored(struct actions *actions, const struct picture *picture,
                          action_done_fn *done, void *arg)
{
    /* An answer after the commit is what ask does; nobody else looks at the request. */
    struct action_request request = {.with_answer = true, .done = done, .done_arg = arg};
    bool failed;
    struct ask *ask = ask_new(&request, &failed);
    if (failed) {
        done(arg, ERR_NO_MEMORY);
        return;
    }
    enum err err = turn_ready(actions->turn);
    if (err == ERR_OK)
        err = picture_note(actions, picture);
    if (err != ERR_OK)
        alert_refuse(actions, err);
    ask_settle(actions, ask, err);
}

void alert_url(struct actions *actions, const struct alert *alert, char out[static ALERT_URL_SIZE])
{
    const struct ports *ports = &actions->options.ports;
    snprintf(out, ALERT_URL_SIZE, "%s/pic/%s?c=%s", ports->public_url(ports->owner), alert->id,
             alert->capability);
}
