/* SPDX-License-Identifier: MIT
 *
 * When an alert goes out: with its picture, or without one when that did not come in time; once;
 * and only after the commit that notes it as sent. Without a link it waits, but not for ever: a
 * stranger of ten minutes ago is no news.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/alert_private.h"
#include "actions/command_private.h"
#include "server/base/log.h"

static struct alert_wait *wait_find(const struct actions *actions, const char *id)
{
    struct alert_wait *wait = NULL;
    HASH_FIND_STR(actions->alert_waits, id, wait);
    return wait;
}

static void wait_end(struct actions *actions, const char *id)
{
    struct alert_wait *wait = wait_find(actions, id);
    if (!wait)
        return;
    HASH_DEL(actions->alert_waits, wait);
    free(wait);
}

void alerts_free(struct actions *actions)
{
    struct alert_wait *wait = actions->alert_waits, *next;
    HASH_CLEAR(hh, actions->alert_waits);
    for (; wait; wait = next) {
        next = wait->hh.next;
        free(wait);
    }
}

enum err alert_wait_until(struct actions *actions, const char *id, int64_t due)
{
    struct alert_wait *wait = wait_find(actions, id);
    if (!wait) {
        wait = calloc(1, sizeof *wait);
        if (!wait)
            return ERR_NO_MEMORY;
        text_set(wait->id, sizeof wait->id, id);
        HASH_ADD_STR(actions->alert_waits, id, wait);
        if (!wait->hh.tbl) {
            free(wait);
            return ERR_NO_MEMORY;
        }
    }
    wait->due = due;
    if (due < actions->alert_due)
        actions->alert_due = due;
    return ERR_OK;
}

static enum err alert_note_sent(struct actions *actions, const char *id, int64_t sent_at)
{
    struct alert alert;
    const struct alert *found = registry_alert(actions_registry(actions), id);
    if (!record_copy_into(REC_ALERT, &alert, found))
        return ERR_NO_MEMORY;
    alert.sent_at = sent_at;
    enum err err = turn_put(actions->turn, REC_ALERT, &alert);
    record_clear(REC_ALERT, &alert);
    return err;
}

/* How many topics it reached. The topics are separated by one space. */
static size_t publish_all(struct actions *actions, const struct alert *alert, const char *payload)
{
    const struct ports *ports = &actions->options.ports;
    char topic[NAME_SIZE];
    size_t sent = 0;
    for (const char *at = alert->topics; *at;) {
        size_t len = strcspn(at, " ");
        text_copy(topic, sizeof topic, at, len);
        enum err err = ports->publish(ports->owner, topic, payload, 2, 0, NULL);
        if (err == ERR_OK)
            sent++;
        else
            log_warn("actions", "an alert did not reach %s: %s", topic, err_message(err));
        at += len + (at[len] == ' ');
    }
    return sent;
}

static void alert_out(struct actions *actions, void *arg, enum err kept)
{
    char *id = arg;
    const struct alert *alert =
        kept == ERR_OK ? registry_alert(actions_registry(actions), id) : NULL;
    if (alert && alert->topics[0] != '\0') {
        char when[CLOCK_TEXT_MAX], url[ALERT_URL_SIZE];
        char payload[ALERT_URL_SIZE + CLOCK_TEXT_MAX + 32];
        alert_url(actions, alert, url);
        snprintf(payload, sizeof payload, "find_stranger %s %s",
                 clock_compact(alert->created_at, when), url);
        /* The link was lost meanwhile: it reached nobody, so it is still to be sent. */
        if (publish_all(actions, alert, payload) == 0 && alert_note_sent(actions, id, 0) == ERR_OK)
            (void)alert_wait_until(actions, id, actions_boot(actions) + ALERT_RETRY_MS);
    }
    free(id);
}

static bool is_stale(const struct actions *actions, const struct alert *alert)
{
    return alert->topics[0] == '\0' || llabs(alert_age(actions, alert)) >= ALERT_STALE_MS;
}

void alert_send(struct actions *actions, const char *id)
{
    const struct alert *alert = registry_alert(actions_registry(actions), id);
    if (!alert || alert->sent_at != 0) {
        wait_end(actions, id);
        return;
    }
    bool stale = is_stale(actions, alert);
    int64_t boot = actions_boot(actions);
    if (!stale && !actions_link_up(actions)) {
        /* alerts_recover() makes it due when the link is there. */
        int64_t left = ALERT_STALE_MS - llabs(alert_age(actions, alert));
        (void)alert_wait_until(actions, id, boot + left);
        return;
    }
    char *copy = strdup(id);
    if (!copy || alert_note_sent(actions, id, actions_wall(actions)) != ERR_OK) {
        free(copy);
        (void)alert_wait_until(actions, id, boot + ALERT_RETRY_MS);
        return;
    }
    wait_end(actions, copy);
    if (stale)
        free(copy);
    else
        actions_later(actions, alert_out, copy);
}

struct closed_walk {
    const struct actions *actions;
    struct id_list ids;
};

static bool visit_closed(void *arg, const void *record)
{
    const struct alert *alert = record;
    struct closed_walk *walk = arg;
    if (alert->sent_at != 0 && llabs(alert_age(walk->actions, alert)) >= ALERT_PICTURE_MS)
        id_list_add(&walk->ids, alert->id);
    return true;
}

static void alerts_forget(struct actions *actions)
{
    struct closed_walk walk = {.actions = actions};
    actions->alerts_walked_at = actions_boot(actions);
    registry_each(actions_registry(actions), REC_ALERT, visit_closed, &walk);
    for (size_t i = 0; i < walk.ids.count; i++)
        registry_forget(actions_registry(actions), REC_ALERT, walk.ids.ids[i]);
    id_list_free(&walk.ids);
}

void alerts_tick(struct actions *actions)
{
    int64_t boot = actions_boot(actions);
    if (boot - actions->alerts_walked_at >= ALERTS_WALK_MS)
        alerts_forget(actions);
    if (boot < actions->alert_due)
        return;
    struct id_list due = {0};
    actions->alert_due = INT64_MAX;
    for (struct alert_wait *wait = actions->alert_waits; wait; wait = wait->hh.next) {
        if (wait->due <= boot)
            id_list_add(&due, wait->id);
        else if (wait->due < actions->alert_due)
            actions->alert_due = wait->due;
    }
    for (size_t i = 0; i < due.count; i++)
        alert_send(actions, due.ids[i]);
    id_list_free(&due);
}

int64_t alerts_next_due(const struct actions *actions)
{
    int64_t due = actions->alert_due;
    if (registry_count(turn_registry(actions->turn), REC_ALERT) > 0 &&
        actions->alerts_walked_at + ALERTS_WALK_MS < due)
        due = actions->alerts_walked_at + ALERTS_WALK_MS;
    return due;
}

static bool visit_unsent(void *arg, const void *record)
{
    struct actions *actions = arg;
    const struct alert *alert = record;
    if (alert->sent_at != 0)
        return true;
    int64_t wait_ms = actions->options.picture_wait_ms;
    int64_t left = wait_ms - alert_age(actions, alert);
    if (left > wait_ms)
        left = wait_ms;
    if (left < 0 || alert->picture_id[0] != '\0')
        left = 0;
    (void)alert_wait_until(actions, alert->id, actions_boot(actions) + left);
    return true;
}

void alerts_recover(struct actions *actions)
{
    registry_each(actions_registry(actions), REC_ALERT, visit_unsent, actions);
    alerts_tick(actions);
}
