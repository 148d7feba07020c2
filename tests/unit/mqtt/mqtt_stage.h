/* SPDX-License-Identifier: MIT
 *
 * A client with the broker it talks to, made and ended around each test: a mosquitto and somebody
 * else who subscribes there, or a broker of one socket.
 */
#ifndef TESTS_MQTT_STAGE_H
#define TESTS_MQTT_STAGE_H

#include "tests/unit/mqtt/mqtt_fake.h"
#include "tests/unit/mqtt/mqtt_real.h"

struct stage {
    struct fixture f;
    struct fake fake;
    struct peer peer;
    int port, pid; /* where the mosquitto is or may come to be; 0: none runs */
};

/* cmocka set-ups; *state is a struct stage. */
int stage_empty(void **state);        /* a client not yet made, at a port where nobody is */
int stage_broker(void **state);       /* at a mosquitto */
int stage_up_on_broker(void **state); /* and started, and up */
int stage_fake(void **state);         /* a started client that is connected to one socket */
int stage_up_on_fake(void **state);   /* and welcome */
/* The tear-down ends whatever there is. */
int stage_end(void **state);

void stage_broker_start(struct stage *s, const char *more_config);
void stage_broker_kill(struct stage *s);
void stage_peer(struct stage *s, const char *topic);
void stage_fake_start(struct stage *s); /* a broker of one socket, and a client started for it */
/* The client comes again and is welcome, for the `ups`th time. */
void stage_welcome(struct stage *s, int ups);

enum err stage_publish(struct stage *s, const char *topic, const char *text, int qos,
                       const char *tag);

/* What the one socket gets from the client, by the types of MQTT. */
enum {
    PACKET_END = 0, /* of the connection */
    PACKET_CONNECT = 1,
    PACKET_PUBLISH = 3,
    PACKET_PUBACK = 4,
    PACKET_PUBREL = 6,
    PACKET_SUBSCRIBE = 8,
    PACKET_DISCONNECT = 14
};

/* Macros, so that a failure tells the line of the test. */
#define STAGE_UP(s, times)    assert_true(mqf_until_up(&(s)->f, times))
#define STAGE_DOWN(s, times)  assert_true(mqf_until_count(&(s)->f, &(s)->f.downs, times))
#define STAGE_HEARD(s, count) assert_true(mqf_until_count(&(s)->f, &(s)->f.messages, count))
#define STAGE_EVENT(s, word)  assert_true(mqf_until_event(&(s)->f, word))
#define STAGE_SENDS(s, topic, text, qos, tag)                                                      \
    assert_int_equal(stage_publish(s, topic, text, qos, tag), ERR_OK)
#define STAGE_PEER_SEES(s, text) assert_true(mqf_peer_until_seen(&(s)->f, &(s)->peer, text, 5000))
/* The next thing on the socket; what the last one had in it; and that nothing is there. */
#define STAGE_TAKES(s, type) assert_int_equal(mqf_fake_take(&(s)->f, &(s)->fake, 5000), type)
#define STAGE_HAS(s, literal)                                                                      \
    assert_non_null(memmem((s)->fake.packet + (s)->fake.body,                                      \
                           (s)->fake.packet_len - (s)->fake.body, literal, sizeof(literal) - 1))
#define STAGE_SILENT(s) assert_int_equal(mqf_fake_peek_bytes(&(s)->fake), 0)

#endif
