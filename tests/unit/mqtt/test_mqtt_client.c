/* SPDX-License-Identifier: MIT
 *
 * The client while its link is there: what it connects and subscribes with, when it reads and
 * writes, what it says of its messages. Lost links are in test_mqtt_link_loss.c.
 */
#include "mqtt/mqtt_client.h"

#include <stdio.h>
#include <string.h>

#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_stage.h"

static void it_is_up_once_when_all_needed_topics_are_acknowledged(void **state)
{
    struct stage *s = *state;
    struct cause cause;
    assert_int_equal(mqtt_client_new(&s->f.options, &s->f.client, &cause), ERR_OK);
    char topic[32];
    for (int i = 0; i < 900; i++) {
        snprintf(topic, sizeof topic, "%s%d", i < 450 ? "app" : "device", i);
        assert_int_equal(mqtt_client_subscribe(s->f.client, topic, i < 450), ERR_OK);
    }
    assert_int_equal(mqtt_client_require(s->f.client, "toserver"), ERR_OK);
    assert_int_equal(mqtt_client_subscribe(s->f.client, "a/#/b", true), ERR_BAD_INPUT);
    mqtt_client_start(s->f.client);
    STAGE_UP(s, 1);

    stage_peer(s, "nothing");
    const char *const heard[] = {"toserver", "app0", "app449", "device450", "device899"};
    for (int i = 0; i < 5; i++) {
        mqf_peer_publish(&s->f, &s->peer, heard[i], "hello", 1, false);
        STAGE_HEARD(s, i + 1);
        assert_string_equal(s->f.topic, heard[i]);
        assert_string_equal(s->f.payload, "hello");
        assert_false(s->f.retain);
    }
    assert_int_equal(s->f.ups, 1);
    assert_true(s->f.settles > 0);
    mqf_peer_close(&s->peer);
    mqf_close(&s->f);
    assert_int_equal(s->f.downs, 0);
}

static void a_name_is_looked_up_and_live_retained_messages_are_recognised(void **state)
{
    struct stage *s = *state;
    snprintf(s->f.options.host, sizeof s->f.options.host, "localhost");
    mqf_start(&s->f);
    STAGE_UP(s, 1);
    stage_peer(s, "toserver");
    mqf_peer_publish(&s->f, &s->peer, "toserver", "unlock", 1, true);
    STAGE_HEARD(s, 1);
    assert_true(s->f.retain);
    /* Our own emptying publish does not come back to us; everybody else gets it. */
    assert_int_equal(mqtt_client_clear_retained(s->f.client, "toserver"), ERR_OK);
    STAGE_PEER_SEES(s, "toserver= ");
    STAGE_SENDS(s, "toserver", "own", 1, NULL);
    STAGE_PEER_SEES(s, "toserver=own ");
    mqf_spin(&s->f, 20);
    assert_int_equal(s->f.messages, 1);
}

static void a_burst_that_comes_while_writing_is_forbidden_is_not_lost(void **state)
{
    struct stage *s = *state;
    stage_broker_start(s, "max_inflight_messages 1000");
    mqf_start(&s->f);
    STAGE_UP(s, 1);
    stage_peer(s, "nothing");
    s->f.may_write = false;
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        mqf_peer_publish(&s->f, &s->peer, "toserver", text, 1, false);
        if (i % 50 == 0)
            mosquitto_loop(s->peer.mosq, 0, 100);
    }
    /* The broker stops at the window we gave it, since no acknowledgement leaves. */
    mqf_spin(&s->f, 50);
    assert_in_range(s->f.messages, 100, 1000);
    s->f.may_write = true;
    mqtt_client_pump(s->f.client);
    STAGE_HEARD(s, 5000);
    assert_int_equal(s->f.messages, 5000);
    assert_string_equal(s->f.payload, "4999");
    assert_int_equal(s->f.ups, 1);
}

static void topics_that_are_no_longer_named_are_unsubscribed(void **state)
{
    struct stage *s = *state;
    mqf_start(&s->f);
    mqtt_client_subscribe(s->f.client, "app1", true);
    mqtt_client_subscribe(s->f.client, "app2", true);
    mqtt_client_subscribe(s->f.client, "device1", false);
    STAGE_UP(s, 1);
    stage_peer(s, "nothing");

    mqtt_client_topics_begin(s->f.client);
    mqtt_client_require(s->f.client, "toserver");
    mqtt_client_subscribe(s->f.client, "app2", true);
    mqtt_client_subscribe(s->f.client, "app3", true);
    mqtt_client_topics_end(s->f.client, false);
    mqf_spin(&s->f, 20);
    const char *const topics[] = {"app1", "app2", "app3", "device1", "toserver"};
    for (int i = 0; i < 5; i++)
        mqf_peer_publish(&s->f, &s->peer, topics[i], "x", 1, false);
    STAGE_HEARD(s, 4);
    assert_string_equal(s->f.topic, "toserver");
    assert_int_equal(s->f.messages, 4);

    mqtt_client_topics_begin(s->f.client);
    mqtt_client_require(s->f.client, "toserver");
    mqtt_client_topics_end(s->f.client, true);
    mqtt_client_subscribe(s->f.client, "late", true);
    mqtt_client_unsubscribe(s->f.client, "late"); /* while its SUBACK is not in */
    mqf_spin(&s->f, 20);
    mqf_peer_publish(&s->f, &s->peer, "late", "x", 1, false);
    for (int i = 0; i < 5; i++)
        mqf_peer_publish(&s->f, &s->peer, topics[i], "x", 1, false);
    STAGE_HEARD(s, 5);
    assert_string_equal(s->f.topic, "toserver");
}

static void the_acknowledgement_is_not_on_the_wire_until_writing_is_allowed(void **state)
{
    struct stage *s = *state;
    s->f.may_write = false;
    mqf_fake_publish(&s->fake, "toserver", "lock", 1, 7);
    STAGE_HEARD(s, 1);
    assert_int_equal(s->f.begins, 1);
    assert_int_equal(s->f.ends, 1);
    mqf_spin(&s->f, 50);
    STAGE_SILENT(s);
    s->f.may_write = true;
    mqtt_client_pump(s->f.client);
    STAGE_TAKES(s, PACKET_PUBACK);
    assert_int_equal(s->fake.packet[s->fake.body + 1], 7);
}

static void count_round(uv_prepare_t *handle)
{
    ++*(int *)handle->data;
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* How many rounds the loop makes in that time. Its handles are gone when it returns. */
static int rounds_in(uv_loop_t *loop, uint64_t ms)
{
    int rounds = 0;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_prepare_init(loop, &prepare);
    prepare.data = &rounds;
    uv_prepare_start(&prepare, count_round);
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_time, ms, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return rounds;
}

static void it_neither_reads_nor_spins_while_reading_is_forbidden(void **state)
{
    struct stage *s = *state;
    s->f.may_read = s->f.may_write = false;
    mqf_fake_publish(&s->fake, "toserver", "lock", 1, 7);
    STAGE_SENDS(s, "todevice", "lock", 2, NULL);
    assert_in_range(rounds_in(&s->f.loop, 200), 1, 20);
    assert_int_equal(s->f.messages, 0);
    STAGE_SILENT(s);

    s->f.may_read = s->f.may_write = true;
    mqtt_client_pump(s->f.client);
    assert_int_equal(s->f.messages, 1);
    STAGE_TAKES(s, PACKET_PUBLISH);
    STAGE_TAKES(s, PACKET_PUBACK);
}

static void unlock_in_flight_is_told_by_its_tag(void **state)
{
    struct stage *s = *state;
    const char *const tags[] = {"a", "b", "c", "d"};
    uint8_t mid[4][2];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            mqtt_client_publish(s->f.client, "todevice", "unlock", 6, 2, false, 10, tags[i]),
            ERR_OK);
        STAGE_TAKES(s, PACKET_PUBLISH);
        memcpy(mid[i], s->fake.packet + s->fake.body + 2 + 8, 2);
    }
    /* Message expiry interval 10 s, and when that is. */
    STAGE_HAS(s, "\x02\x00\x00\x00\x0a");
    STAGE_HAS(s, "expires");

    mqf_fake_send(&s->fake, (uint8_t[]){0x50, 2, mid[0][0], mid[0][1]}, 4);
    STAGE_EVENT(s, "taken:a");
    assert_null(strstr(s->f.events, "over"));
    STAGE_TAKES(s, PACKET_PUBREL);
    mqf_fake_send(&s->fake, (uint8_t[]){0x70, 2, mid[0][0], mid[0][1]}, 4);
    STAGE_EVENT(s, "over:a");
    /* Refused by its PUBREC; "no matching subscribers" is no refusal. */
    mqf_fake_send(&s->fake, (uint8_t[]){0x50, 3, mid[1][0], mid[1][1], 0x87}, 5);
    STAGE_EVENT(s, "rejected:b");
    mqf_fake_send(&s->fake, (uint8_t[]){0x50, 3, mid[2][0], mid[2][1], 0x10}, 5);
    STAGE_EVENT(s, "taken:c");
    assert_true(mqtt_client_sees_pubrec(s->f.client));
    /* A PUBCOMP whose PUBREC nobody logged: the log can't be trusted. */
    mqf_fake_send(&s->fake, (uint8_t[]){0x70, 2, mid[3][0], mid[3][1]}, 4);
    STAGE_EVENT(s, "over:d");
    assert_false(mqtt_client_sees_pubrec(s->f.client));
    assert_string_equal(s->f.events, "up taken:a over:a rejected:b taken:c taken:d over:d ");
}

static void every_connection_is_a_clean_start_of_mqtt_5_without_a_will(void **state)
{
    struct stage *s = *state;
    STAGE_TAKES(s, PACKET_CONNECT);
    const uint8_t *body = s->fake.packet + s->fake.body;
    assert_memory_equal(body, "\x00\x04MQTT\x05\x02\x00\x0a", 10);
    /* Receive maximum 1000, maximum packet size 256 KB. */
    STAGE_HAS(s, "\x21\x03\xe8");
    STAGE_HAS(s, "\x27\x00\x04\x00\x00");
    STAGE_HAS(s, "gatehouse-");
}

static void subscriptions_are_qos_1_no_local_retain_as_published(void **state)
{
    struct stage *s = *state;
    STAGE_TAKES(s, PACKET_CONNECT);
    mqf_fake_connack(&s->fake, 0);
    STAGE_TAKES(s, PACKET_SUBSCRIBE);
    STAGE_HAS(s, "\x00\x08toserver\x0d");
    /* Not up before the SUBACK, but messages count already. */
    mqf_fake_publish(&s->fake, "toserver", "lock", 0, 0);
    STAGE_HEARD(s, 1);
    assert_int_equal(s->f.ups, 0);
    assert_int_equal(stage_publish(s, "todevice", "x", 0, NULL), ERR_NO_LINK);
    mqf_fake_answer_subscribe(&s->fake, 1);
    STAGE_UP(s, 1);
    /* A new needed topic does not make it un-ready. */
    mqtt_client_subscribe(s->f.client, "toapp", true);
    STAGE_TAKES(s, PACKET_SUBSCRIBE);
    assert_true(mqtt_client_is_up(s->f.client));
}

static void background_topics_wait_for_the_suback_before_them(void **state)
{
    struct stage *s = *state;
    for (int i = 0; i < 130; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "d%d", i);
        mqtt_client_subscribe(s->f.client, topic, false);
        if (i == 99)
            STAGE_TAKES(s, PACKET_SUBSCRIBE);
    }
    mqf_spin(&s->f, 20);
    STAGE_SILENT(s);
    mqf_fake_answer_subscribe(&s->fake, 1);
    STAGE_TAKES(s, PACKET_SUBSCRIBE);
    STAGE_HAS(s, "d129");
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, stage_end)

int main(void)
{
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(it_is_up_once_when_all_needed_topics_are_acknowledged, stage_broker),
        TEST(a_name_is_looked_up_and_live_retained_messages_are_recognised, stage_broker),
        TEST(a_burst_that_comes_while_writing_is_forbidden_is_not_lost, stage_empty),
        TEST(topics_that_are_no_longer_named_are_unsubscribed, stage_broker),
        TEST(the_acknowledgement_is_not_on_the_wire_until_writing_is_allowed, stage_up_on_fake),
        TEST(it_neither_reads_nor_spins_while_reading_is_forbidden, stage_up_on_fake),
        TEST(unlock_in_flight_is_told_by_its_tag, stage_up_on_fake),
        TEST(every_connection_is_a_clean_start_of_mqtt_5_without_a_will, stage_fake),
        TEST(subscriptions_are_qos_1_no_local_retain_as_published, stage_fake),
        TEST(background_topics_wait_for_the_suback_before_them, stage_up_on_fake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
