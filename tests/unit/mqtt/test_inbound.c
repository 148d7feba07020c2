/* SPDX-License-Identifier: MIT */
#include "mqtt/inbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/inbound_judge.h"
#include "server/base/secret.h"
#include "tests/unit/actions/rig.h"
#include "tests/unit/mqtt/mqtt_real.h"

static struct mqtt_message message(const char *topic, const char *text, bool retain)
{
    return (struct mqtt_message){
        .topic = topic, .payload = text, .len = strlen(text), .qos = 1, .retain = retain};
}

static enum inbound_verdict judge(struct rig *rig, const char *topic, const char *text, bool retain)
{
    struct mqtt_message m = message(topic, text, retain);
    return inbound_judge(rig_registry(rig), "toserver", &m);
}

static void add_pair(struct rig *rig, const char *device, const char *app, const char *topic)
{
    struct pair pair = {.created_at = 1};
    snprintf(pair.device_id, sizeof pair.device_id, "%s", device);
    snprintf(pair.app_id, sizeof pair.app_id, "%s", app);
    snprintf(pair.app_topic, sizeof pair.app_topic, "%s", topic);
    assert_int_equal(turn_put(rig->turn, REC_PAIR, &pair), ERR_OK);
}

static void the_topic_says_what_a_message_is(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    add_pair(rig, "device", "other", "told-to-the-board");
    assert_int_equal(judge(rig, "toserver", "lock", false), INBOUND_ACT);
    assert_int_equal(judge(rig, "app", "unlock_response 0 device app", false), INBOUND_ANSWER);
    assert_int_equal(judge(rig, "told-to-the-board", "x", false), INBOUND_ANSWER);
    assert_int_equal(judge(rig, "todevice", "unlock", false), INBOUND_IGNORE);
    assert_int_equal(judge(rig, "nobody", "unlock", false), INBOUND_IGNORE);
    assert_int_equal(judge(rig, "toserver/", "unlock", false), INBOUND_IGNORE);
    rig_settle(rig);
}

static void a_retained_message_never_counts_and_is_cleared_once(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    const char *const topics[] = {"toserver", "app", "todevice"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judge(rig, topics[i], "unlock", true), INBOUND_CLEAR);
        assert_int_equal(judge(rig, topics[i], "", true), INBOUND_IGNORE);
    }
    assert_int_equal(judge(rig, "nobody", "unlock", true), INBOUND_IGNORE);
}

static void what_counts_reaches_the_table_as_an_anonymous_sender(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    struct inbound *inbound = inbound_new(rig->actions, "toserver");
    uint64_t before = rig_counter(rig, COUNTER_MESSAGES);
    struct mqtt_message m = message("toserver", "unlock device app", false);
    inbound_message(inbound, &m);
    rig_settle(rig);
    assert_int_equal(rig_counter(rig, COUNTER_MESSAGES), before + 1);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
    assert_string_equal(rig_last_row(rig)->who, "anonymous");
    assert_string_equal(rig_last_row(rig)->way, "mqtt");
    assert_string_equal(rig_last_row(rig)->source, "toserver");

    m = message("app", "unlock_response 0 device app", false);
    inbound_message(inbound, &m);
    rig_settle(rig);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_DONE);

    m = message("toserver", "lock device app", true);
    inbound_message(inbound, &m);
    m = message("todevice", "unlock", false);
    inbound_message(inbound, &m);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 0);
    assert_int_equal(rig_counter(rig, COUNTER_RETAINED), 1);
    inbound_free(inbound);
}

/* With a client and a broker */

struct listening {
    struct fixture f; /* first: it is the client's owner */
    struct rig *rig;
    struct inbound *inbound;
    struct peer peer;
    int port, pid;
};

static void on_message(void *owner, const struct mqtt_message *m)
{
    struct listening *l = owner;
    l->f.messages++;
    snprintf(l->f.topic, sizeof l->f.topic, "%s", m->topic);
    inbound_message(l->inbound, m);
}

static void listen_open(struct listening *l, struct rig *rig)
{
    l->rig = rig;
    l->port = mqf_free_port();
    l->pid = mqf_broker_spawn(l->port, NULL);
    l->inbound = inbound_new(rig->actions, "toserver");
    mqf_open(&l->f, l->port);
    l->f.options.on_message = on_message;
    struct cause cause;
    assert_int_equal(mqtt_client_new(&l->f.options, &l->f.client, &cause), ERR_OK);
    mqf_peer_open(&l->f, &l->peer, l->port, "nothing", 0);
}

static void listen_start(struct listening *l)
{
    inbound_attach(l->inbound, l->f.client);
    mqtt_client_start(l->f.client);
    assert_true(mqf_until_up(&l->f, 1));
}

static void listen_close(struct listening *l)
{
    mqf_peer_close(&l->peer);
    mqf_close(&l->f);
    inbound_topics_changed(l->inbound); /* the client is gone: nothing happens */
    inbound_free(l->inbound);
    mqf_broker_kill(l->pid);
}

static void retained_commands_are_cleared_on_the_broker(void **state)
{
    static struct listening l;
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    listen_open(&l, rig);
    const char *const topics[] = {"toserver", "app", "todevice"};
    for (int i = 0; i < 3; i++)
        mqf_peer_publish(&l.f, &l.peer, topics[i], "unlock device", 1, true);
    listen_start(&l);
    assert_true(mqf_until_count(&l.f, &l.f.messages, 3));
    assert_int_equal(rig_counter(rig, COUNTER_RETAINED), 3);
    /* Whoever asks for them now gets nothing but what comes after. */
    mqf_spin(&l.f, 30);
    struct peer later;
    mqf_peer_open(&l.f, &later, l.port, "#", 1);
    mqf_peer_publish(&l.f, &l.peer, "sentinel", "x", 1, false);
    assert_true(mqf_peer_until_seen(&l.f, &later, "sentinel=x", 5000));
    assert_string_equal(later.seen, "sentinel=x ");
    mqf_peer_close(&later);
    assert_int_equal(l.f.messages, 3);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 0);
    listen_close(&l);
}

static bool toserver_came(void *arg)
{
    struct listening *l = arg;
    return strcmp(l->f.topic, "toserver") == 0;
}

/* How often a message on that topic comes to us; one that always comes tells when it would have. */
static int heard_count(struct listening *l, const char *topic)
{
    int before = l->f.messages;
    l->f.topic[0] = '\0';
    mqf_peer_publish(&l->f, &l->peer, topic, "x", 1, false);
    mqf_peer_publish(&l->f, &l->peer, "toserver", "x", 1, false);
    assert_true(mqf_until(&l->f, toserver_came, l, 5000));
    return l->f.messages - before - 1;
}

static void topics_follow_the_registry(void **state)
{
    static struct listening l;
    struct rig *rig = *state;
    listen_open(&l, rig);
    listen_start(&l);
    assert_int_equal(heard_count(&l, "app"), 0);
    rig_board(rig, "device", "todevice");
    add_pair(rig, "device", "other", "told");
    inbound_topics_changed(l.inbound);
    mqf_spin(&l.f, 30);
    assert_int_equal(heard_count(&l, "app"), 1);
    assert_int_equal(heard_count(&l, "told"), 1);
    assert_int_equal(heard_count(&l, "todevice"), 1);
    struct pair gone = *registry_pair(rig_registry(rig), "device", "other");
    assert_int_equal(turn_del(rig->turn, REC_PAIR, &gone), ERR_OK);
    inbound_topics_changed(l.inbound);
    mqf_spin(&l.f, 30);
    assert_int_equal(heard_count(&l, "told"), 0);
    assert_int_equal(heard_count(&l, "app"), 1);
    assert_int_equal(l.f.ups, 1);
    rig_settle(rig);
    listen_close(&l);
}

static void many_changes_in_a_row_cost_little(void **state)
{
    static struct listening l;
    struct rig *rig = *state;
    for (int i = 0; i < 2000; i++) {
        struct app app = {.spoke = true, .created_at = 1};
        snprintf(app.id, sizeof app.id, "a%d", i);
        snprintf(app.topic, sizeof app.topic, "t%d", i);
        assert_int_equal(turn_put(rig->turn, REC_APP, &app), ERR_OK);
    }
    listen_open(&l, rig);
    listen_start(&l);
    uint64_t begun = uv_hrtime();
    for (int i = 0; i < 20000; i++) {
        inbound_topics_changed(l.inbound);
        if (i % 20 == 0)
            uv_run(&l.f.loop, UV_RUN_NOWAIT);
    }
    /* One walk each time would take minutes here. */
    assert_true(uv_hrtime() - begun < 2000u * 1000 * 1000);
    rig_settle(rig);
    listen_close(&l);
}

int main(void)
{
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_topic_says_what_a_message_is, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(a_retained_message_never_counts_and_is_cleared_once,
                                        rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(what_counts_reaches_the_table_as_an_anonymous_sender,
                                        rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(retained_commands_are_cleared_on_the_broker, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(topics_follow_the_registry, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(many_changes_in_a_row_cost_little, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
