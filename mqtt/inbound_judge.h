/* SPDX-License-Identifier: MIT
 *
 * Whether a message counts, as a pure function of registry, topic and retain flag; for inbound.c
 * and its test.
 */
#ifndef MQTT_INBOUND_JUDGE_H
#define MQTT_INBOUND_JUDGE_H

#include "mqtt/mqtt_client.h"
#include "state/registry.h"

enum inbound_verdict {
    INBOUND_IGNORE,
    INBOUND_ACT,    /* on the server's topic */
    INBOUND_ANSWER, /* on an app's topic: maybe a board's answer to a command */
    INBOUND_CLEAR   /* retained: never acted on */
};

enum inbound_verdict inbound_judge(const struct registry *registry, const char *server_topic,
                                   const struct mqtt_message *message);

#endif
