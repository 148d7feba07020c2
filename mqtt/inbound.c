/* SPDX-License-Identifier: MIT
 *
 * From a message on the wire to the action table, and which topics the server listens to. It
 * refuses to know what a payload means, and how listening is done.
 */
#include "mqtt/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"

struct inbound {
    struct actions *actions;
    struct mqtt_client *client; /* NULL until attached */
    char server_topic[NAME_SIZE];
};

struct inbound *inbound_new(struct actions *actions, const char *server_topic)
{
    struct inbound *inbound = calloc(1, sizeof *inbound);
    if (!inbound)
        return NULL;
    inbound->actions = actions;
    text_copy(inbound->server_topic, sizeof inbound->server_topic, server_topic,
              strlen(server_topic));
    return inbound;
}

void inbound_free(struct inbound *inbound)
{
    free(inbound);
}

static bool name_device(void *arg, const void *record)
{
    const struct device *device = record;
    return !device->topic[0] || !mqtt_client_subscribe(arg, device->topic, false);
}

static bool name_app(void *arg, const void *record)
{
    const struct app *app = record;
    return !app->topic[0] || !mqtt_client_subscribe(arg, app->topic, true);
}

static bool name_pair(void *arg, const void *record)
{
    const struct pair *pair = record;
    return !pair->app_topic[0] || !mqtt_client_subscribe(arg, pair->app_topic, true);
}

static void name_topics(void *arg)
{
    struct inbound *inbound = arg;
    struct mqtt_client *client = inbound->client;
    const struct registry *registry = turn_registry(actions_turn(inbound->actions));
    mqtt_client_topics_begin(client);
    registry_each(registry, REC_DEVICE, name_device, client);
    registry_each(registry, REC_APP, name_app, client);
    registry_each(registry, REC_PAIR, name_pair, client);
    if (mqtt_client_require(client, inbound->server_topic))
        log_error("mqtt", "out of memory: not all topics are listened to");
    mqtt_client_topics_end(client, true);
}

void inbound_attach(struct inbound *inbound, struct mqtt_client *client)
{
    inbound->client = client;
    mqtt_client_on_topics(client, name_topics, inbound);
}

void inbound_topics_changed(struct inbound *inbound)
{
    if (inbound->client)
        mqtt_client_topics_stale(inbound->client);
}

/* A retained message is replayed to whoever subscribes, for ever: a command that opens a door on
 * every start. */
static void clear_retained(struct inbound *inbound, const struct mqtt_message *message)
{
    if (!message->len)
        return;
    action_count(inbound->actions, COUNTER_RETAINED);
    log_warn(
        "mqtt",
        "a retained message on %s was not acted on; it is cleared. Whoever published it must not "
        "set the retain flag",
        message->topic);
    if (mqtt_client_clear_retained(inbound->client, message->topic))
        log_warn("mqtt", "the retained message on %s could not be cleared", message->topic);
}

void inbound_message(struct inbound *inbound, const struct mqtt_message *message)
{
    const struct registry *registry = turn_registry(actions_turn(inbound->actions));
    struct caller caller = {.name = "anonymous", .anonymous = true, .way = "mqtt"};
    text_copy(caller.source, sizeof caller.source, message->topic, strlen(message->topic));
    if (message->retain)
        clear_retained(inbound, message);
    else if (strcmp(message->topic, inbound->server_topic) == 0)
        action_payload(inbound->actions, &caller, message->payload, message->len);
    else if (!registry_device_by_topic(registry, message->topic))
        action_app_payload(inbound->actions, &caller, message->payload, message->len);
}
