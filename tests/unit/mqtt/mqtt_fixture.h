/* SPDX-License-Identifier: MIT
 *
 * What the tests of the MQTT room share: a loop with a client whose turn the test decides, a real
 * mosquitto on a free port, a broker made of one socket that sends what the test says, and a
 * subscriber on libmosquitto's own loop.
 */
#ifndef TESTS_MQTT_FIXTURE_H
#define TESTS_MQTT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mosquitto.h>
#include <uv.h>

#include "mqtt/mqtt_client.h"

struct fixture {
    uv_loop_t loop;
    struct mqtt_client *client;
    struct mqtt_options options;
    bool may_read, may_write, awake;
    bool drop_on_message;
    int ups, downs, messages, begins, ends, wakes, settles;
    char events[4096]; /* one word an event: "up down taken:a over:a rejected:a" */
    char topic[256], payload[256];
    bool retain, late;
    char why[256];
    bool closed;
};

void mqf_open(struct fixture *f, int port);
void mqf_start(struct fixture *f); /* makes the client from f->options and starts it */
void mqf_close(struct fixture *f); /* and asserts that no handle is left */
/* Runs the loop until the condition holds; false after `ms`. */
typedef bool condition_fn(void *arg);
bool mqf_until(struct fixture *f, condition_fn *condition, void *arg, int ms);
bool mqf_until_up(struct fixture *f, int ups);
bool mqf_until_count(struct fixture *f, const int *count, int least);
bool mqf_until_event(struct fixture *f, const char *word);
/* Lets everything that is ready happen: `rounds` turns of the loop, a millisecond each. */
void mqf_spin(struct fixture *f, int rounds);

int mqf_free_port(void);
/* A folder of its own below the system's temporary one, removed at the end of the process. */
const char *mqf_dir(void);
int mqf_broker_spawn(int port, const char *more_config); /* pid; accepting when it returns */
void mqf_broker_kill(int pid);

/* The broker of one socket. */
struct fake {
    int listener, fd, port;
    uint8_t in[65536];
    size_t len;
    uint8_t packet[65536]; /* the last one taken, with its fixed header */
    size_t packet_len, body;
};
void mqf_fake_open(struct fake *fake);
void mqf_fake_close(struct fake *fake);
void mqf_fake_accept(struct fixture *f, struct fake *fake); /* waits for a connection */
void mqf_fake_hang_up(struct fake *fake);
/* Waits for a whole packet and takes it; returns its type (1 CONNECT, 3 PUBLISH ...), -1 when none
 * came, 0 at the end of the stream. */
int mqf_fake_take(struct fixture *f, struct fake *fake, int ms);
int mqf_fake_peek_bytes(struct fake *fake); /* how many bytes lie there that were not taken */
void mqf_fake_send(struct fake *fake, const void *bytes, size_t len);
void mqf_fake_publish(struct fake *fake, const char *topic, const char *text, int qos, int mid);
/* CONNECT and all SUBSCRIBEs are answered until the client is up `ups` times. */
void mqf_fake_welcome(struct fixture *f, struct fake *fake, int ups);
void mqf_fake_answer_subscribe(struct fake *fake, int code);

/* A subscriber that is not ours. */
struct peer {
    struct mosquitto *mosq;
    int messages;
    char seen[8192]; /* "topic=payload " for each */
    bool subscribed;
};
void mqf_peer_open(struct fixture *f, struct peer *peer, int port, const char *topic, int qos);
void mqf_peer_close(struct peer *peer);
void mqf_peer_publish(struct fixture *f, struct peer *peer, const char *topic, const char *text,
                      int qos, bool retain);
bool mqf_peer_until_seen(struct fixture *f, struct peer *peer, const char *text, int ms);

#endif
