/* SPDX-License-Identifier: MIT
 *
 * See rig.h. The disk is the list of committed changes; a reload plays it into a new registry.
 */
#include "tests/unit/actions/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"

static int64_t rig_wall_ms(void *arg)
{
    return ((struct rig *)arg)->wall;
}

static int64_t rig_boot_ms(void *arg)
{
    return ((struct rig *)arg)->boot;
}

static bool rig_has_link(void *owner)
{
    return ((struct rig *)owner)->link;
}

static enum err rig_publish(void *owner, const char *topic, const char *payload, int qos,
                            uint32_t expiry_s, const char *tag)
{
    struct rig *rig = owner;
    if (!rig->link)
        return ERR_NO_LINK;
    if (rig->publish_error != ERR_OK)
        return rig->publish_error;
    assert_true(rig->sent_count < sizeof rig->sent / sizeof rig->sent[0]);
    struct rig_sent *sent = &rig->sent[rig->sent_count++];
    text_copy(sent->topic, sizeof sent->topic, topic, strlen(topic));
    text_copy(sent->payload, sizeof sent->payload, payload, strlen(payload));
    text_copy(sent->tag, sizeof sent->tag, tag ? tag : "", tag ? strlen(tag) : 0);
    sent->qos = qos;
    sent->expiry_s = expiry_s;
    return ERR_OK;
}

static void rig_drop_link(void *owner, const char *why)
{
    struct rig *rig = owner;
    (void)why;
    rig->drops++;
    rig->link = false;
    commands_link_down(rig->actions);
}

static void rig_topics_changed(void *owner)
{
    ((struct rig *)owner)->topic_changes++;
}

static const char *rig_public_url(void *owner)
{
    (void)owner;
    return "http://gate.test:5000";
}

static void rig_keep(void *owner, struct batch *batch)
{
    struct rig *rig = owner;
    assert_null(rig->keeping);
    rig->keeping = batch;
}

static void rig_reload(void *owner)
{
    ((struct rig *)owner)->reloading = true;
}

static struct registry *rig_load(const struct rig *rig)
{
    struct registry *registry = registry_new();
    assert_non_null(registry);
    for (size_t i = 0; i < rig->disk->count; i++) {
        const struct change *change = &rig->disk->changes[i];
        assert_int_equal(registry_apply(registry, change->op, change->kind, change->record),
                         ERR_OK);
    }
    return registry;
}

static void rig_start(struct rig *rig)
{
    const struct turn_keeper keeper = {.keep = rig_keep, .reload = rig_reload, .owner = rig};
    rig->turn = turn_new(rig_load(rig), &keeper, &rig->clock);
    assert_non_null(rig->turn);
    rig->actions = actions_new(rig->turn, &rig->options);
    assert_non_null(rig->actions);
}

static void rig_log(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig || secret_init() != ERR_OK)
        return -1;
    log_set_sink(rig_log, NULL);
    rig->wall = RIG_WALL;
    rig->boot = RIG_BOOT;
    rig->clock =
        (struct clock){.wall_ms = rig_wall_ms, .boot_ms = rig_boot_ms, .arg = rig, .boot_id = "b1"};
    rig->disk = batch_new();
    rig->link = true;
    rig->options = (struct actions_options){.anonymous = ANONYMOUS_ALL,
                                            .pairing = PAIRING_OPEN,
                                            .picture_wait_ms = 5000,
                                            .server_topic = "toserver",
                                            .clock = &rig->clock,
                                            .ports = {.owner = rig,
                                                      .link_up = rig_has_link,
                                                      .publish = rig_publish,
                                                      .drop_link = rig_drop_link,
                                                      .topics_changed = rig_topics_changed,
                                                      .public_url = rig_public_url}};
    rig_start(rig);
    *state = rig;
    return 0;
}

int rig_setup_board(void **state)
{
    int failed = rig_setup(state);
    if (!failed)
        rig_board(*state, "device", "todevice");
    return failed;
}

static void rig_stop(struct rig *rig)
{
    turn_free(rig->turn);
    actions_free(rig->actions);
    rig->keeping = NULL;
    rig->reloading = false;
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    rig->ended = true;
    rig_stop(rig);
    batch_free(rig->disk);
    free(rig);
    return 0;
}

void rig_restart(struct rig *rig)
{
    rig_stop(rig);
    rig_start(rig);
    commands_recover(rig->actions);
    rig_settle(rig);
}

void rig_answer(struct rig *rig)
{
    if (rig->reloading) {
        rig->reloading = false;
        turn_reloaded(rig->turn, rig_load(rig), ERR_OK);
        return;
    }
    const struct batch *batch = rig->keeping;
    assert_non_null(batch);
    if (rig->fail == ERR_OK)
        for (size_t i = 0; i < batch->count; i++)
            assert_int_equal(batch_add(rig->disk, batch->changes[i].op, batch->changes[i].kind,
                                       batch->changes[i].record),
                             ERR_OK);
    rig->keeping = NULL;
    turn_kept(rig->turn, rig->fail);
}

void rig_settle(struct rig *rig)
{
    turn_end(rig->turn);
    while (!rig->by_hand && (rig->keeping || rig->reloading)) {
        rig_answer(rig);
        turn_end(rig->turn);
    }
}

void rig_answer_all(struct rig *rig)
{
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
}

void rig_advance(struct rig *rig, int64_t ms)
{
    rig->wall += ms;
    rig->boot += ms;
    commands_tick(rig->actions);
    rig_settle(rig);
}

static struct caller rig_anonymous(const char *source)
{
    struct caller caller = {.name = "anonymous", .anonymous = true, .way = "mqtt"};
    text_copy(caller.source, sizeof caller.source, source, strlen(source));
    return caller;
}

void rig_mqtt(struct rig *rig, const char *payload)
{
    struct caller caller = rig_anonymous("toserver");
    action_payload(rig->actions, &caller, payload, strlen(payload));
    rig_settle(rig);
}

void rig_app_topic(struct rig *rig, const char *payload)
{
    struct caller caller = rig_anonymous("app");
    action_app_payload(rig->actions, &caller, payload, strlen(payload));
    rig_settle(rig);
}

static void rig_done(void *arg, enum err result)
{
    struct rig_asker *asker = arg;
    if (asker->rig->ended)
        return;
    assert_int_equal(*asker->answer, RIG_WAITING); /* exactly once */
    *asker->answer = result;
}

void rig_ask(struct rig *rig, const char *payload, enum role role, enum err *answer)
{
    struct words words;
    assert_int_equal(words_split(payload, strlen(payload), &words), ERR_OK);
    struct rig_asker *asker = &rig->askers[rig->asker_count++];
    *asker = (struct rig_asker){.rig = rig, .answer = answer};
    struct action_request request = {
        .caller = {.name = "anna", .role = role, .way = "http", .source = "127.0.0.1"},
        .words = &words,
        .with_answer = true,
        .done = rig_done,
        .done_arg = asker};
    assert_true(rig->asker_count < sizeof rig->askers / sizeof rig->askers[0]);
    *answer = RIG_WAITING;
    action_dispatch(rig->actions, &request);
    rig_settle(rig);
}

void rig_board(struct rig *rig, const char *id, const char *topic)
{
    char payload[512];
    snprintf(payload, sizeof payload, "add_device %s %s app app 20200731110320", id, topic);
    rig_mqtt(rig, payload);
    assert_non_null(registry_device(rig_registry(rig), id));
    rig->sent_count = 0;
}

void rig_presence(struct rig *rig, const char *id, enum presence presence)
{
    struct device device = *registry_device(rig_registry(rig), id);
    device.presence = presence;
    assert_int_equal(turn_put(rig->turn, REC_DEVICE, &device), ERR_OK);
    rig_settle(rig);
}

void rig_link_up(struct rig *rig)
{
    rig->link = true;
    commands_link_up(rig->actions);
    rig_settle(rig);
}

void rig_hand_over(struct rig *rig)
{
    commands_taken(rig->actions, rig_last(rig)->tag);
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
}

struct registry *rig_registry(struct rig *rig)
{
    return turn_registry(rig->turn);
}

static bool visit_first(void *arg, const void *record)
{
    *(const void **)arg = record;
    return false;
}

const struct command *rig_command(struct rig *rig, const char *device_id)
{
    const void *found = NULL;
    registry_each_command_of_device(rig_registry(rig), device_id, visit_first, &found);
    assert_non_null(found);
    return found;
}

const struct rig_sent *rig_last(struct rig *rig)
{
    assert_true(rig->sent_count > 0);
    return &rig->sent[rig->sent_count - 1];
}

size_t rig_count_sent(struct rig *rig, const char *topic, const char *payload)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->sent_count; i++)
        count += strcmp(rig->sent[i].topic, topic) == 0 &&
                 (!payload || strcmp(rig->sent[i].payload, payload) == 0);
    return count;
}

size_t rig_rows(struct rig *rig, const char *outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->disk->count; i++) {
        const struct change *change = &rig->disk->changes[i];
        const struct door_log *row = change->record;
        count += change->kind == REC_DOOR_LOG && (!outcome || strcmp(row->outcome, outcome) == 0);
    }
    return count;
}

const struct door_log *rig_last_row(struct rig *rig)
{
    for (size_t i = rig->disk->count; i > 0; i--)
        if (rig->disk->changes[i - 1].kind == REC_DOOR_LOG)
            return rig->disk->changes[i - 1].record;
    fail_msg("no row");
    return NULL;
}

uint64_t rig_counter(struct rig *rig, enum counter counter)
{
    return action_counter(rig->actions, counter);
}
