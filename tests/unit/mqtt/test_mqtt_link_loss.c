/* SPDX-License-Identifier: MIT
 *
 * The client when its link is refused, lost or ended: what was under way never leaves later, and it
 * comes again.
 */
#include "mqtt/mqtt_client.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/secret.h"
#include "tests/unit/mqtt/mqtt_cmocka.h"
#include "tests/unit/mqtt/mqtt_stage.h"

static void nothing_published_while_down_is_ever_sent(void **state)
{
    struct stage *s = *state;
    mqf_start(&s->f);
    mqf_spin(&s->f, 20);
    for (int qos = 0; qos < 3; qos++)
        assert_int_equal(stage_publish(s, "todevice", "unlock", qos, "tag"), ERR_NO_LINK);
    stage_broker_start(s, NULL);
    stage_peer(s, "todevice");
    STAGE_UP(s, 1);
    STAGE_SENDS(s, "todevice", "sentinel", 2, NULL);
    STAGE_PEER_SEES(s, "todevice=sentinel");
    assert_int_equal(s->peer.messages, 1);
}

static void what_a_killed_broker_had_in_flight_is_not_sent_again(void **state)
{
    struct stage *s = *state;
    kill(s->pid, SIGSTOP);
    STAGE_SENDS(s, "todevice", "unlock", 2, "a");
    mqf_spin(&s->f, 20);
    stage_broker_kill(s);
    STAGE_DOWN(s, 1);
    stage_broker_start(s, NULL);
    stage_peer(s, "todevice");
    STAGE_UP(s, 2);
    STAGE_SENDS(s, "todevice", "sentinel", 2, "b");
    STAGE_PEER_SEES(s, "todevice=sentinel");
    assert_int_equal(s->peer.messages, 1);
    STAGE_EVENT(s, "over:b");
    assert_string_equal(s->f.events, "up down up taken:b over:b ");
    /* And everything is subscribed again. */
    mqf_peer_publish(&s->f, &s->peer, "toserver", "hello", 1, false);
    STAGE_HEARD(s, 1);
}

static void an_unlock_written_to_a_stopped_broker_never_arrives_after_a_drop(void **state)
{
    struct stage *s = *state;
    stage_peer(s, "todevice");
    kill(s->pid, SIGSTOP);
    STAGE_SENDS(s, "todevice", "unlock", 2, "a");
    mqf_spin(&s->f, 50);
    mqtt_client_drop(s->f.client, "the broker did not take a command in time");
    assert_false(mqtt_client_is_up(s->f.client));
    assert_int_equal(s->f.downs, 0); /* never from inside a call */
    assert_int_equal(stage_publish(s, "todevice", "unlock", 2, "a"), ERR_NO_LINK);
    STAGE_DOWN(s, 1);
    assert_string_equal(s->f.why, "the broker did not take a command in time");
    kill(s->pid, SIGCONT);
    STAGE_UP(s, 2);
    STAGE_SENDS(s, "todevice", "sentinel", 2, NULL);
    STAGE_PEER_SEES(s, "todevice=sentinel");
    assert_string_equal(s->peer.seen, "todevice=sentinel ");
}

static void nothing_is_done_after_the_process_stood_still(void **state)
{
    struct stage *s = *state;
    int settles = s->f.settles;
    s->f.awake = false;
    mqf_fake_publish(&s->fake, "toserver", "unlock", 1, 7);
    STAGE_SENDS(s, "todevice", "unlock", 2, NULL);
    mqf_spin(&s->f, 20);
    assert_int_equal(s->f.messages, 0);
    assert_int_equal(s->f.settles, settles);
    STAGE_SILENT(s);
    mqtt_client_drop(s->f.client, "stood still");
    s->f.awake = true;
    STAGE_DOWN(s, 1);
    assert_int_equal(s->f.messages, 0);
}

static void a_dropped_link_writes_nothing_more(void **state)
{
    struct stage *s = *state;
    s->f.may_write = false;
    STAGE_SENDS(s, "todevice", "unlock", 2, "a");
    STAGE_SENDS(s, "todevice", "unlock", 0, NULL);
    mqtt_client_drop(s->f.client, "dropped");
    s->f.may_write = true;
    /* Not even DISCONNECT. */
    STAGE_TAKES(s, PACKET_END);
    assert_int_equal(s->fake.len, 0);
    stage_welcome(s, 2);
    STAGE_SENDS(s, "todevice", "sentinel", 0, NULL);
    STAGE_TAKES(s, PACKET_PUBLISH);
    STAGE_HAS(s, "sentinel");
    assert_string_equal(s->f.events, "up down up ");
}

static void a_drop_from_inside_a_message_ends_the_burst(void **state)
{
    struct stage *s = *state;
    s->f.drop_on_message = true;
    for (int i = 1; i <= 5; i++)
        mqf_fake_publish(&s->fake, "toserver", "lock", 1, i);
    STAGE_DOWN(s, 1);
    assert_int_equal(s->f.messages, 1);
    assert_int_equal(s->f.begins, s->f.ends);
    STAGE_TAKES(s, PACKET_END);
}

static void what_was_in_flight_is_not_sent_on_the_next_link(void **state)
{
    struct stage *s = *state;
    STAGE_SENDS(s, "todevice", "unlock", 2, "a");
    STAGE_SENDS(s, "todevice", "unlock", 1, "b");
    STAGE_TAKES(s, PACKET_PUBLISH);
    STAGE_TAKES(s, PACKET_PUBLISH);
    mqf_fake_hang_up(&s->fake);
    STAGE_DOWN(s, 1);
    stage_welcome(s, 2);
    mqf_spin(&s->f, 20);
    STAGE_SILENT(s);
    assert_string_equal(s->f.events, "up down up ");
}

static void a_refused_required_topic_is_no_link_and_is_tried_again(void **state)
{
    struct stage *s = *state;
    STAGE_TAKES(s, PACKET_CONNECT);
    mqf_fake_connack(&s->fake, 0);
    STAGE_TAKES(s, PACKET_SUBSCRIBE);
    mqf_fake_answer_subscribe(&s->fake, 0x87);
    STAGE_TAKES(s, PACKET_END);
    stage_welcome(s, 1);
    assert_string_equal(s->f.events, "up ");
}

static void a_refused_connection_and_a_hung_up_one_are_tried_again(void **state)
{
    struct stage *s = *state;
    STAGE_TAKES(s, PACKET_CONNECT);
    mqf_fake_connack(&s->fake, 0x87); /* not authorized */
    STAGE_TAKES(s, PACKET_END);
    mqf_fake_accept(&s->f, &s->fake);
    mqf_fake_hang_up(&s->fake);
    stage_welcome(s, 1);
    mqf_fake_send(&s->fake, "\xe0\x01\x8b", 3); /* server shutting down */
    STAGE_DOWN(s, 1);
    assert_non_null(strstr(s->f.why, "shutting down"));
    stage_welcome(s, 2);
}

static bool connects(int port, int *fd)
{
    struct sockaddr_in address = mqf_loopback(port);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    struct pollfd ready = {.fd = *fd, .events = POLLOUT};
    return poll(&ready, 1, 100) == 1;
}

static void a_black_hole_does_not_block_the_loop(void **state)
{
    struct stage *s = *state;
    int fill[64], filled = 0;
    mqf_fake_open(&s->fake);
    /* A full queue drops whoever comes then, without a word. */
    assert_int_equal(listen(s->fake.listener, 1), 0);
    while (filled < 64 && connects(s->fake.port, &fill[filled++]))
        ;
    assert_in_range(filled, 2, 63);
    s->f.options.port = s->fake.port;
    uint64_t begun = uv_hrtime();
    mqf_start(&s->f);
    mqf_spin(&s->f, 50);
    assert_true(uv_hrtime() - begun < 1000u * 1000 * 1000);
    assert_int_equal(s->f.ups, 0);
    /* It gives up after its own deadline, and is there when the hole is gone. */
    assert_true(mqf_until_logged(&s->f, "not made in time", 8000));
    for (int i = 0; i < filled; i++)
        close(fill[i]);
    assert_int_equal(listen(s->fake.listener, 64), 0);
    while ((s->fake.fd = accept(s->fake.listener, NULL, NULL)) >= 0)
        close(s->fake.fd);
    do
        mqf_fake_accept(&s->f, &s->fake);
    while (mqf_fake_take(&s->f, &s->fake, 1000) != PACKET_CONNECT);
    mqf_fake_connack(&s->fake, 0);
    STAGE_TAKES(s, PACKET_SUBSCRIBE);
    mqf_fake_answer_subscribe(&s->fake, 1);
    STAGE_UP(s, 1);
}

static void it_closes_at_any_moment_without_leaving_a_handle(void **state)
{
    struct stage *s = *state;
    mqf_start(&s->f);
    mqf_close(&s->f); /* nobody there */

    stage_fake_start(s);
    mqf_close(&s->f); /* connecting */

    mqf_open(&s->f, s->fake.port);
    snprintf(s->f.options.host, sizeof s->f.options.host, "localhost");
    mqf_start(&s->f);
    mqf_close(&s->f); /* looking up */

    stage_fake_start(s);
    stage_welcome(s, 1);
    STAGE_SENDS(s, "todevice", "last", 1, NULL);
    mqf_close(&s->f);              /* cleanly: what is queued, then DISCONNECT */
    mqf_open(&s->f, s->fake.port); /* for its loop, to read with */
    STAGE_TAKES(s, PACKET_PUBLISH);
    STAGE_TAKES(s, PACKET_DISCONNECT);

    stage_fake_start(s);
    stage_welcome(s, 1);
    STAGE_SENDS(s, "todevice", "last", 1, NULL);
    s->f.may_write = false;
    mqf_close(&s->f); /* uncommitted: nothing leaves */
    mqf_open(&s->f, s->fake.port);
    STAGE_TAKES(s, PACKET_END);
    assert_int_equal(s->fake.len, 0);
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, stage_end)

int main(void)
{
    if (secret_init() != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(nothing_published_while_down_is_ever_sent, stage_empty),
        TEST(what_a_killed_broker_had_in_flight_is_not_sent_again, stage_up_on_broker),
        TEST(an_unlock_written_to_a_stopped_broker_never_arrives_after_a_drop, stage_up_on_broker),
        TEST(nothing_is_done_after_the_process_stood_still, stage_up_on_fake),
        TEST(a_dropped_link_writes_nothing_more, stage_up_on_fake),
        TEST(a_drop_from_inside_a_message_ends_the_burst, stage_up_on_fake),
        TEST(what_was_in_flight_is_not_sent_on_the_next_link, stage_up_on_fake),
        TEST(a_refused_required_topic_is_no_link_and_is_tried_again, stage_fake),
        TEST(a_refused_connection_and_a_hung_up_one_are_tried_again, stage_fake),
        TEST(a_black_hole_does_not_block_the_loop, stage_empty),
        TEST(it_closes_at_any_moment_without_leaving_a_handle, stage_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
