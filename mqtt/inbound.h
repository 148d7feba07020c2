/* SPDX-License-Identifier: MIT
 *
 * From a message on the wire to the action table: which of our topics it came on, whether it may
 * count (retained ones never do on command and hand-shake topics: they are cleared and reported),
 * who sent it. And which topics the server listens to, as the registry names them. No mosquitto
 * types but `struct mqtt_message`.
 */
#ifndef MQTT_INBOUND_H
#define MQTT_INBOUND_H

#include "actions/action.h"
#include "mqtt/mqtt_client.h"

struct inbound;

struct inbound *inbound_new(struct actions *actions, const char *server_topic);
void inbound_free(struct inbound *inbound);
/* May come later than inbound_new; names all topics at once. Ends by itself when either ends. */
void inbound_attach(struct inbound *inbound, struct mqtt_client *client);
void inbound_message(struct inbound *inbound, const struct mqtt_message *message);
/* Subscribes to what is named now and not yet subscribed, unsubscribes what no longer is: the
 * server's topic and every app topic (needed), every device topic (in the background, only to find
 * and clear retained commands). Soon, and paced: many calls in a row cost little. */
void inbound_topics_changed(struct inbound *inbound);

#endif
