/* SPDX-License-Identifier: MIT */
#include "mqtt/mqtt_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_fixture.h"

static char logged[65536];

static void keep_log(void *arg, enum log_level level, const char *line)
{
    (void)arg, (void)level;
    size_t len = strlen(logged);
    snprintf(logged + len, sizeof logged - len, "%s\n", line);
    if (getenv("SHOW_LOG") != NULL)
        fprintf(stderr, "%s\n", line);
}

/* A client that is up on a broker of one socket. */
static void up_on_fake(struct fixture *f, struct fake *fake)
{
    mqf_fake_open(fake);
    mqf_open(f, fake->port);
    mqf_start(f);
    mqf_fake_accept(f, fake);
    mqf_fake_welcome(f, fake, 1);
}

static void down(struct fixture *f, struct fake *fake)
{
    mqf_fake_hang_up(fake);
    mqf_close(f);
    mqf_fake_close(fake);
}

static enum err publish(struct fixture *f, const char *topic, const char *text, int qos,
                        const char *tag)
{
    return mqtt_client_publish(f->client, topic, text, strlen(text), qos, false, 0, tag);
}

/* With a real broker */

static void it_is_up_once_when_all_needed_topics_are_acknowledged(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, NULL);
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    struct cause cause;
    assert_int_equal(mqtt_client_new(&f.options, &f.client, &cause), ERR_OK);
    char topic[32];
    for (int i = 0; i < 900; i++) {
        snprintf(topic, sizeof topic, "%s%d", i < 450 ? "app" : "device", i);
        assert_int_equal(mqtt_client_subscribe(f.client, topic, i < 450), ERR_OK);
    }
    assert_int_equal(mqtt_client_require(f.client, "toserver"), ERR_OK);
    assert_int_equal(mqtt_client_subscribe(f.client, "a/#/b", true), ERR_BAD_INPUT);
    mqtt_client_start(f.client);
    assert_true(mqf_until_up(&f, 1));

    mqf_peer_open(&f, &peer, port, "nothing", 0);
    const char *const heard[] = {"toserver", "app0", "app449", "device450", "device899"};
    for (int i = 0; i < 5; i++) {
        mqf_peer_publish(&f, &peer, heard[i], "hello", 1, false);
        assert_true(mqf_until_count(&f, &f.messages, i + 1));
        assert_string_equal(f.topic, heard[i]);
        assert_string_equal(f.payload, "hello");
        assert_false(f.retain);
    }
    assert_int_equal(f.ups, 1);
    assert_true(f.settles > 0);
    mqf_peer_close(&peer);
    mqf_close(&f);
    assert_int_equal(f.downs, 0);
    mqf_broker_kill(pid);
}

static void a_name_is_looked_up_and_live_retained_messages_are_recognised(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, NULL);
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    snprintf(f.options.host, sizeof f.options.host, "localhost");
    mqf_start(&f);
    assert_true(mqf_until_up(&f, 1));
    mqf_peer_open(&f, &peer, port, "toserver", 1);
    mqf_peer_publish(&f, &peer, "toserver", "unlock", 1, true);
    assert_true(mqf_until_count(&f, &f.messages, 1));
    assert_true(f.retain);
    /* Our own emptying publish does not come back to us; everybody else gets it. */
    assert_int_equal(mqtt_client_clear_retained(f.client, "toserver"), ERR_OK);
    assert_true(mqf_peer_until_seen(&f, &peer, "toserver= ", 5000));
    assert_int_equal(publish(&f, "toserver", "own", 1, NULL), ERR_OK);
    assert_true(mqf_peer_until_seen(&f, &peer, "toserver=own ", 5000));
    mqf_spin(&f, 20);
    assert_int_equal(f.messages, 1);
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

static void nothing_published_while_down_is_ever_sent(void **state)
{
    (void)state;
    int port = mqf_free_port();
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    mqf_start(&f);
    mqf_spin(&f, 20);
    for (int qos = 0; qos < 3; qos++)
        assert_int_equal(publish(&f, "todevice", "unlock", qos, "tag"), ERR_NO_LINK);
    int pid = mqf_broker_spawn(port, NULL);
    mqf_peer_open(&f, &peer, port, "todevice", 2);
    assert_true(mqf_until_up(&f, 1));
    assert_int_equal(publish(&f, "todevice", "sentinel", 2, NULL), ERR_OK);
    assert_true(mqf_peer_until_seen(&f, &peer, "todevice=sentinel", 5000));
    assert_int_equal(peer.messages, 1);
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

static void what_a_killed_broker_had_in_flight_is_not_sent_again(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, NULL);
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    mqf_start(&f);
    assert_true(mqf_until_up(&f, 1));
    kill(pid, SIGSTOP);
    assert_int_equal(publish(&f, "todevice", "unlock", 2, "a"), ERR_OK);
    mqf_spin(&f, 20);
    mqf_broker_kill(pid);
    assert_true(mqf_until_count(&f, &f.downs, 1));
    pid = mqf_broker_spawn(port, NULL);
    mqf_peer_open(&f, &peer, port, "todevice", 2);
    assert_true(mqf_until_up(&f, 2));
    assert_int_equal(publish(&f, "todevice", "sentinel", 2, "b"), ERR_OK);
    assert_true(mqf_peer_until_seen(&f, &peer, "todevice=sentinel", 5000));
    assert_int_equal(peer.messages, 1);
    assert_true(mqf_until_event(&f, "over:b"));
    assert_string_equal(f.events, "up down up taken:b over:b ");
    /* And everything is subscribed again. */
    mqf_peer_publish(&f, &peer, "toserver", "hello", 1, false);
    assert_true(mqf_until_count(&f, &f.messages, 1));
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

static void an_unlock_written_to_a_stopped_broker_never_arrives_after_a_drop(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, NULL);
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    mqf_start(&f);
    assert_true(mqf_until_up(&f, 1));
    mqf_peer_open(&f, &peer, port, "todevice", 2);
    kill(pid, SIGSTOP);
    assert_int_equal(publish(&f, "todevice", "unlock", 2, "a"), ERR_OK);
    mqf_spin(&f, 50);
    mqtt_client_drop(f.client, "the broker did not take a command in time");
    assert_false(mqtt_client_is_up(f.client));
    assert_int_equal(f.downs, 0); /* never from inside a call */
    assert_int_equal(publish(&f, "todevice", "unlock", 2, "a"), ERR_NO_LINK);
    assert_true(mqf_until_count(&f, &f.downs, 1));
    assert_string_equal(f.why, "the broker did not take a command in time");
    kill(pid, SIGCONT);
    assert_true(mqf_until_up(&f, 2));
    assert_int_equal(publish(&f, "todevice", "sentinel", 2, NULL), ERR_OK);
    assert_true(mqf_peer_until_seen(&f, &peer, "todevice=sentinel", 5000));
    assert_string_equal(peer.seen, "todevice=sentinel ");
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

static void a_burst_that_comes_while_writing_is_forbidden_is_not_lost(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, "max_inflight_messages 1000");
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    mqf_start(&f);
    assert_true(mqf_until_up(&f, 1));
    mqf_peer_open(&f, &peer, port, "nothing", 0);
    f.may_write = false;
    for (int i = 0; i < 5000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        mqf_peer_publish(&f, &peer, "toserver", text, 1, false);
        if (i % 50 == 0)
            mosquitto_loop(peer.mosq, 0, 100);
    }
    /* The broker stops at the window we gave it, since no acknowledgement leaves. */
    mqf_spin(&f, 50);
    assert_in_range(f.messages, 100, 1000);
    f.may_write = true;
    mqtt_client_pump(f.client);
    assert_true(mqf_until_count(&f, &f.messages, 5000));
    assert_int_equal(f.messages, 5000);
    assert_string_equal(f.payload, "4999");
    assert_int_equal(f.ups, 1);
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

static void topics_that_are_no_longer_named_are_unsubscribed(void **state)
{
    (void)state;
    int port = mqf_free_port(), pid = mqf_broker_spawn(port, NULL);
    struct fixture f;
    struct peer peer;
    mqf_open(&f, port);
    mqf_start(&f);
    mqtt_client_subscribe(f.client, "app1", true);
    mqtt_client_subscribe(f.client, "app2", true);
    mqtt_client_subscribe(f.client, "device1", false);
    assert_true(mqf_until_up(&f, 1));
    mqf_peer_open(&f, &peer, port, "nothing", 0);

    mqtt_client_topics_begin(f.client);
    mqtt_client_require(f.client, "toserver");
    mqtt_client_subscribe(f.client, "app2", true);
    mqtt_client_subscribe(f.client, "app3", true);
    mqtt_client_topics_end(f.client, false);
    mqf_spin(&f, 20);
    const char *const topics[] = {"app1", "app2", "app3", "device1", "toserver"};
    for (int i = 0; i < 5; i++)
        mqf_peer_publish(&f, &peer, topics[i], "x", 1, false);
    assert_true(mqf_until_count(&f, &f.messages, 4));
    assert_string_equal(f.topic, "toserver");
    assert_int_equal(f.messages, 4);

    mqtt_client_topics_begin(f.client);
    mqtt_client_require(f.client, "toserver");
    mqtt_client_topics_end(f.client, true);
    mqtt_client_subscribe(f.client, "late", true);
    mqtt_client_unsubscribe(f.client, "late"); /* while its SUBACK is not in */
    mqf_spin(&f, 20);
    mqf_peer_publish(&f, &peer, "late", "x", 1, false);
    for (int i = 0; i < 5; i++)
        mqf_peer_publish(&f, &peer, topics[i], "x", 1, false);
    assert_true(mqf_until_count(&f, &f.messages, 5));
    assert_string_equal(f.topic, "toserver");
    mqf_peer_close(&peer);
    mqf_close(&f);
    mqf_broker_kill(pid);
}

/* With a broker of one socket */

static void the_acknowledgement_is_not_on_the_wire_until_writing_is_allowed(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    f.may_write = false;
    mqf_fake_publish(&fake, "toserver", "lock", 1, 7);
    assert_true(mqf_until_count(&f, &f.messages, 1));
    assert_int_equal(f.begins, 1);
    assert_int_equal(f.ends, 1);
    mqf_spin(&f, 50);
    assert_int_equal(mqf_fake_peek_bytes(&fake), 0);
    f.may_write = true;
    mqtt_client_pump(f.client);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 4);
    assert_int_equal(fake.packet[fake.body + 1], 7);
    down(&f, &fake);
}

static void count_round(uv_prepare_t *handle)
{
    ++*(int *)handle->data;
}

static void on_time(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void it_neither_reads_nor_spins_while_reading_is_forbidden(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    f.may_read = f.may_write = false;
    mqf_fake_publish(&fake, "toserver", "lock", 1, 7);
    assert_int_equal(publish(&f, "todevice", "lock", 2, NULL), ERR_OK);
    int rounds = 0;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_prepare_init(&f.loop, &prepare);
    prepare.data = &rounds;
    uv_prepare_start(&prepare, count_round);
    uv_timer_init(&f.loop, &timer);
    uv_timer_start(&timer, on_time, 200, 0);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    assert_in_range(rounds, 1, 20);
    assert_int_equal(f.messages, 0);
    assert_int_equal(mqf_fake_peek_bytes(&fake), 0);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&timer, NULL);

    f.may_read = f.may_write = true;
    mqtt_client_pump(f.client);
    assert_int_equal(f.messages, 1);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 4);
    down(&f, &fake);
}

static void nothing_is_done_after_the_process_stood_still(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    int settles = f.settles;
    f.awake = false;
    mqf_fake_publish(&fake, "toserver", "unlock", 1, 7);
    assert_int_equal(publish(&f, "todevice", "unlock", 2, NULL), ERR_OK);
    mqf_spin(&f, 20);
    assert_int_equal(f.messages, 0);
    assert_int_equal(f.settles, settles);
    assert_int_equal(mqf_fake_peek_bytes(&fake), 0);
    mqtt_client_drop(f.client, "stood still");
    f.awake = true;
    assert_true(mqf_until_count(&f, &f.downs, 1));
    assert_int_equal(f.messages, 0);
    down(&f, &fake);
}

static void a_dropped_link_writes_nothing_more(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    f.may_write = false;
    assert_int_equal(publish(&f, "todevice", "unlock", 2, "a"), ERR_OK);
    assert_int_equal(publish(&f, "todevice", "unlock", 0, NULL), ERR_OK);
    mqtt_client_drop(f.client, "dropped");
    f.may_write = true;
    /* Not even DISCONNECT. */
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 0);
    assert_int_equal(fake.len, 0);
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 2);
    assert_int_equal(publish(&f, "todevice", "sentinel", 0, NULL), ERR_OK);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
    assert_non_null(memmem(fake.packet, fake.packet_len, "sentinel", 8));
    assert_string_equal(f.events, "up down up ");
    down(&f, &fake);
}

static void a_drop_from_inside_a_message_ends_the_burst(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    f.drop_on_message = true;
    for (int i = 1; i <= 5; i++)
        mqf_fake_publish(&fake, "toserver", "lock", 1, i);
    assert_true(mqf_until_count(&f, &f.downs, 1));
    assert_int_equal(f.messages, 1);
    assert_int_equal(f.begins, f.ends);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 0);
    down(&f, &fake);
}

static void unlock_in_flight_is_told_by_its_tag(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    const char *const tags[] = {"a", "b", "c", "d"};
    uint8_t mid[4][2];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            mqtt_client_publish(f.client, "todevice", "unlock", 6, 2, false, 10, tags[i]), ERR_OK);
        assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
        memcpy(mid[i], fake.packet + fake.body + 2 + 8, 2);
    }
    /* Message expiry interval 10 s, and when that is. */
    assert_non_null(memmem(fake.packet, fake.packet_len, "\x02\x00\x00\x00\x0a", 5));
    assert_non_null(memmem(fake.packet, fake.packet_len, "expires", 7));

    mqf_fake_send(&fake, (uint8_t[]){0x50, 2, mid[0][0], mid[0][1]}, 4);
    assert_true(mqf_until_event(&f, "taken:a"));
    assert_null(strstr(f.events, "over"));
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 6);
    mqf_fake_send(&fake, (uint8_t[]){0x70, 2, mid[0][0], mid[0][1]}, 4);
    assert_true(mqf_until_event(&f, "over:a"));
    /* Refused by its PUBREC; "no matching subscribers" is no refusal. */
    mqf_fake_send(&fake, (uint8_t[]){0x50, 3, mid[1][0], mid[1][1], 0x87}, 5);
    assert_true(mqf_until_event(&f, "rejected:b"));
    mqf_fake_send(&fake, (uint8_t[]){0x50, 3, mid[2][0], mid[2][1], 0x10}, 5);
    assert_true(mqf_until_event(&f, "taken:c"));
    assert_true(mqtt_client_sees_pubrec(f.client));
    /* A PUBCOMP whose PUBREC nobody logged: the log can't be trusted. */
    mqf_fake_send(&fake, (uint8_t[]){0x70, 2, mid[3][0], mid[3][1]}, 4);
    assert_true(mqf_until_event(&f, "over:d"));
    assert_false(mqtt_client_sees_pubrec(f.client));
    assert_string_equal(f.events, "up taken:a over:a rejected:b taken:c taken:d over:d ");
    down(&f, &fake);
}

static void what_was_in_flight_is_not_sent_on_the_next_link(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    assert_int_equal(publish(&f, "todevice", "unlock", 2, "a"), ERR_OK);
    assert_int_equal(publish(&f, "todevice", "unlock", 1, "b"), ERR_OK);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
    mqf_fake_hang_up(&fake);
    assert_true(mqf_until_count(&f, &f.downs, 1));
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 2);
    mqf_spin(&f, 20);
    assert_int_equal(mqf_fake_peek_bytes(&fake), 0);
    assert_string_equal(f.events, "up down up ");
    down(&f, &fake);
}

static void every_connection_is_a_clean_start_of_mqtt_5_without_a_will(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_fake_accept(&f, &fake);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 1);
    const uint8_t *body = fake.packet + fake.body;
    assert_memory_equal(body, "\x00\x04MQTT\x05\x02\x00\x0a", 10);
    /* Receive maximum 1000, maximum packet size 256 KB. */
    assert_non_null(memmem(body, fake.packet_len - fake.body, "\x21\x03\xe8", 3));
    assert_non_null(memmem(body, fake.packet_len - fake.body, "\x27\x00\x04\x00\x00", 5));
    assert_non_null(memmem(body, fake.packet_len - fake.body, "gatehouse-", 10));
    down(&f, &fake);
}

static void subscriptions_are_qos_1_no_local_retain_as_published(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_fake_accept(&f, &fake);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 1);
    mqf_fake_send(&fake, "\x20\x03\x00\x00\x00", 5);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    assert_non_null(memmem(fake.packet, fake.packet_len, "\x00\x08toserver\x0d", 11));
    /* Not up before the SUBACK, but messages count already. */
    mqf_fake_publish(&fake, "toserver", "lock", 0, 0);
    assert_true(mqf_until_count(&f, &f.messages, 1));
    assert_int_equal(f.ups, 0);
    assert_int_equal(publish(&f, "todevice", "x", 0, NULL), ERR_NO_LINK);
    mqf_fake_answer_subscribe(&fake, 1);
    assert_true(mqf_until_up(&f, 1));
    /* A new needed topic does not make it un-ready. */
    mqtt_client_subscribe(f.client, "toapp", true);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    assert_true(mqtt_client_is_up(f.client));
    down(&f, &fake);
}

static void a_refused_required_topic_is_no_link_and_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_fake_accept(&f, &fake);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 1);
    mqf_fake_send(&fake, "\x20\x03\x00\x00\x00", 5);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    mqf_fake_answer_subscribe(&fake, 0x87);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 0);
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 1);
    assert_string_equal(f.events, "up ");
    down(&f, &fake);
}

static void background_topics_wait_for_the_suback_before_them(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    up_on_fake(&f, &fake);
    for (int i = 0; i < 130; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "d%d", i);
        mqtt_client_subscribe(f.client, topic, false);
        if (i == 99)
            assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    }
    mqf_spin(&f, 20);
    assert_int_equal(mqf_fake_peek_bytes(&fake), 0);
    mqf_fake_answer_subscribe(&fake, 1);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    assert_non_null(memmem(fake.packet, fake.packet_len, "d129", 4));
    down(&f, &fake);
}

static void a_refused_connection_and_a_hung_up_one_are_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_fake_accept(&f, &fake);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 1);
    mqf_fake_send(&fake, "\x20\x03\x00\x87\x00", 5); /* not authorized */
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 0);
    mqf_fake_accept(&f, &fake);
    mqf_fake_hang_up(&fake);
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 1);
    mqf_fake_send(&fake, "\xe0\x01\x8b", 3); /* server shutting down */
    assert_true(mqf_until_count(&f, &f.downs, 1));
    assert_non_null(strstr(f.why, "shutting down"));
    mqf_fake_accept(&f, &fake);
    mqf_fake_welcome(&f, &fake, 2);
    down(&f, &fake);
}

static bool connects(int port, int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    struct pollfd ready = {.fd = *fd, .events = POLLOUT};
    return poll(&ready, 1, 100) == 1;
}

static bool gave_up(void *arg)
{
    (void)arg;
    return strstr(logged, "not made in time") != NULL;
}

static void a_black_hole_does_not_block_the_loop(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    int fill[64], filled = 0;
    mqf_fake_open(&fake);
    /* A full queue drops whoever comes then, without a word. */
    assert_int_equal(listen(fake.listener, 1), 0);
    while (filled < 64 && connects(fake.port, &fill[filled++]))
        ;
    assert_in_range(filled, 2, 63);
    mqf_open(&f, fake.port);
    uint64_t begun = uv_hrtime();
    mqf_start(&f);
    mqf_spin(&f, 50);
    assert_true(uv_hrtime() - begun < 1000u * 1000 * 1000);
    assert_int_equal(f.ups, 0);
    /* It gives up after its own deadline, and is there when the hole is gone. */
    assert_true(mqf_until(&f, gave_up, NULL, 8000));
    for (int i = 0; i < filled; i++)
        close(fill[i]);
    assert_int_equal(listen(fake.listener, 64), 0);
    while ((fake.fd = accept(fake.listener, NULL, NULL)) >= 0)
        close(fake.fd);
    do
        mqf_fake_accept(&f, &fake);
    while (mqf_fake_take(&f, &fake, 1000) != 1);
    mqf_fake_send(&fake, "\x20\x03\x00\x00\x00", 5);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 8);
    mqf_fake_answer_subscribe(&fake, 1);
    assert_true(mqf_until_up(&f, 1));
    down(&f, &fake);
}

static void it_closes_at_any_moment_without_leaving_a_handle(void **state)
{
    (void)state;
    struct fixture f;
    struct fake fake;
    mqf_open(&f, mqf_free_port());
    mqf_start(&f);
    mqf_close(&f); /* nobody there */

    mqf_fake_open(&fake);
    mqf_open(&f, fake.port);
    mqf_start(&f);
    mqf_close(&f); /* connecting */

    mqf_open(&f, fake.port);
    snprintf(f.options.host, sizeof f.options.host, "localhost");
    mqf_start(&f);
    mqf_close(&f); /* looking up */
    mqf_fake_close(&fake);

    up_on_fake(&f, &fake);
    assert_int_equal(publish(&f, "todevice", "last", 1, NULL), ERR_OK);
    mqf_close(&f); /* cleanly: what is queued, then DISCONNECT */
    mqf_open(&f, fake.port);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 3);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 14);
    mqf_close(&f);
    mqf_fake_close(&fake);

    up_on_fake(&f, &fake);
    assert_int_equal(publish(&f, "todevice", "last", 1, NULL), ERR_OK);
    f.may_write = false;
    mqf_close(&f); /* uncommitted: nothing leaves */
    mqf_open(&f, fake.port);
    assert_int_equal(mqf_fake_take(&f, &fake, 5000), 0);
    assert_int_equal(fake.len, 0);
    mqf_close(&f);
    mqf_fake_close(&fake);
}

int main(void)
{
    log_set_sink(keep_log, NULL);
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_up_once_when_all_needed_topics_are_acknowledged),
        cmocka_unit_test(a_name_is_looked_up_and_live_retained_messages_are_recognised),
        cmocka_unit_test(nothing_published_while_down_is_ever_sent),
        cmocka_unit_test(what_a_killed_broker_had_in_flight_is_not_sent_again),
        cmocka_unit_test(an_unlock_written_to_a_stopped_broker_never_arrives_after_a_drop),
        cmocka_unit_test(a_burst_that_comes_while_writing_is_forbidden_is_not_lost),
        cmocka_unit_test(topics_that_are_no_longer_named_are_unsubscribed),
        cmocka_unit_test(the_acknowledgement_is_not_on_the_wire_until_writing_is_allowed),
        cmocka_unit_test(it_neither_reads_nor_spins_while_reading_is_forbidden),
        cmocka_unit_test(nothing_is_done_after_the_process_stood_still),
        cmocka_unit_test(a_dropped_link_writes_nothing_more),
        cmocka_unit_test(a_drop_from_inside_a_message_ends_the_burst),
        cmocka_unit_test(unlock_in_flight_is_told_by_its_tag),
        cmocka_unit_test(what_was_in_flight_is_not_sent_on_the_next_link),
        cmocka_unit_test(every_connection_is_a_clean_start_of_mqtt_5_without_a_will),
        cmocka_unit_test(subscriptions_are_qos_1_no_local_retain_as_published),
        cmocka_unit_test(a_refused_required_topic_is_no_link_and_is_tried_again),
        cmocka_unit_test(background_topics_wait_for_the_suback_before_them),
        cmocka_unit_test(a_refused_connection_and_a_hung_up_one_are_tried_again),
        cmocka_unit_test(a_black_hole_does_not_block_the_loop),
        cmocka_unit_test(it_closes_at_any_moment_without_leaving_a_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
