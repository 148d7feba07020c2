/* SPDX-License-Identifier: MIT
 *
 * A real mosquitto for the tests of the MQTT room, and a subscriber on libmosquitto's own loop.
 */
#ifndef TESTS_MQTT_REAL_H
#define TESTS_MQTT_REAL_H

#include <stdbool.h>

#include <mosquitto.h>

#include "tests/unit/mqtt/mqtt_fixture.h"

int mqf_broker_spawn(int port, const char *more_config); /* pid; accepting when it returns */
void mqf_broker_kill(int pid);

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
