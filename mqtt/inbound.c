/* SPDX-License-Identifier: MIT
 *
 * Judges each message by the topic it came on and its retain flag, and hands what counts to the
 * action table; names the topics to listen to from the registry. It refuses to know what a payload
 * says.
 */
#include "mqtt/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "mqtt/inbound_judge.h"
#include "server/base/log.h"
#include "server/base/names.h"

/* Walking a hundred thousand devices takes tens of milliseconds, and their topics only matter for
 * finding old retained messages: they are walked when their number changed or so seldom. */
#define DEVICE_WALK_MS 60000

struct inbound {
    struct actions *actions;
    struct mqtt_client *client; /* NULL until attached */
    char server_topic[NAME_SIZE];
    const struct registry *walked; /* identity only: a reload makes a new one */
    size_t devices, apps, pairs;   /* as of the last walk */
    int64_t devices_walked_at;     /* boot clock */
};

struct inbound *inbound_new(struct actions *actions, const char *server_topic)
{
    struct inbound *inbound = calloc(1, sizeof *inbound);
    if (inbound == NULL)
        return NULL;
    inbound->actions = actions;
    text_copy(inbound->server_topic, sizeof inbound->server_topic, server_topic,
              strlen(server_topic));
    return inbound;
}

void inbound_free(struct inbound *inbound)
{
    if (inbound != NULL && inbound->client != NULL)
        mqtt_client_on_topics(inbound->client, NULL, NULL);
    free(inbound);
}

/* Messages */

enum inbound_verdict inbound_judge(const struct registry *registry, const char *server_topic,
                                   const struct mqtt_message *message)
{
    bool server = strcmp(message->topic, server_topic) == 0;
    bool app = !server && (registry_app_by_topic(registry, message->topic) != NULL ||
                           registry_pair_names_topic(registry, message->topic));
    bool device = registry_device_by_topic(registry, message->topic) != NULL;
    if (!server && !app && !device)
        return INBOUND_IGNORE;
    if (message->retain)
        /* An empty one is what clearing looks like, our own or somebody else's. */
        return message->len > 0 ? INBOUND_CLEAR : INBOUND_IGNORE;
    return server ? INBOUND_ACT : app ? INBOUND_ANSWER : INBOUND_IGNORE;
}

static void clear(struct inbound *inbound, const struct mqtt_message *message)
{
    action_count(inbound->actions, COUNTER_RETAINED);
    log_warn("mqtt", "a retained message on %s is ignored and cleared", message->topic);
    if (inbound->client == NULL)
        return;
    enum err err = mqtt_client_clear_retained(inbound->client, message->topic);
    if (err != ERR_OK)
        log_warn("mqtt", "the retained message on %s could not be cleared: %s", message->topic,
                 err_message(err));
}

void inbound_message(struct inbound *inbound, const struct mqtt_message *message)
{
    struct turn *turn = actions_turn(inbound->actions);
    struct caller caller = {
        .name = "anonymous", .role = ROLE_NONE, .anonymous = true, .way = "mqtt"};
    caller.late = message->late;
    text_copy(caller.source, sizeof caller.source, message->topic, strlen(message->topic));
    switch (inbound_judge(turn_registry(turn), inbound->server_topic, message)) {
    case INBOUND_ACT:
        action_payload(inbound->actions, &caller, message->payload, message->len);
        break;
    case INBOUND_ANSWER:
        action_app_payload(inbound->actions, &caller, message->payload, message->len);
        break;
    case INBOUND_CLEAR:
        clear(inbound, message);
        break;
    case INBOUND_IGNORE:
        break;
    }
}

/* Topics */

struct naming {
    struct inbound *inbound;
    bool failed;
};

static bool name_topic(struct naming *naming, const char *topic, bool needed)
{
    /* One that lost its topic to another has none; the server's own is never somebody else's. */
    if (topic[0] == '\0' || strcmp(topic, naming->inbound->server_topic) == 0)
        return true;
    naming->failed = mqtt_client_subscribe(naming->inbound->client, topic, needed) == ERR_NO_MEMORY;
    return !naming->failed;
}

static bool name_app(void *arg, const void *record)
{
    return name_topic(arg, ((const struct app *)record)->topic, true);
}

static bool name_pair(void *arg, const void *record)
{
    return name_topic(arg, ((const struct pair *)record)->app_topic, true);
}

static bool name_device(void *arg, const void *record)
{
    return name_topic(arg, ((const struct device *)record)->topic, false);
}

static bool devices_due(const struct inbound *inbound, const struct registry *registry, int64_t now)
{
    return registry != inbound->walked ||
           registry_count(registry, REC_DEVICE) != inbound->devices ||
           registry_count(registry, REC_APP) < inbound->apps ||
           registry_count(registry, REC_PAIR) < inbound->pairs ||
           now - inbound->devices_walked_at >= DEVICE_WALK_MS;
}

/* mqtt_client_topics_stale() calls this, no oftener than the loop can bear. */
static void walk(void *arg, struct mqtt_client *client)
{
    struct inbound *inbound = arg;
    inbound->client = client;
    if (client == NULL)
        return;
    const struct registry *registry = turn_registry(actions_turn(inbound->actions));
    int64_t now = clock_boot_ms(actions_get_options(inbound->actions)->clock);
    bool devices = devices_due(inbound, registry, now);
    struct naming naming = {.inbound = inbound};

    mqtt_client_topics_begin(inbound->client);
    naming.failed = mqtt_client_require(inbound->client, inbound->server_topic) != ERR_OK;
    registry_each(registry, REC_APP, name_app, &naming);
    registry_each(registry, REC_PAIR, name_pair, &naming);
    if (devices)
        registry_each(registry, REC_DEVICE, name_device, &naming);
    if (naming.failed) {
        /* Nothing is given up for want of memory; the next change tries again. */
        log_error("mqtt", "the topics to listen to could not be named: out of memory");
        return;
    }
    mqtt_client_topics_end(inbound->client, devices);

    inbound->apps = registry_count(registry, REC_APP);
    inbound->pairs = registry_count(registry, REC_PAIR);
    if (devices) {
        inbound->walked = registry;
        inbound->devices = registry_count(registry, REC_DEVICE);
        inbound->devices_walked_at = now;
    }
}

void inbound_attach(struct inbound *inbound, struct mqtt_client *client)
{
    if (inbound->client != NULL)
        mqtt_client_on_topics(inbound->client, NULL, NULL);
    inbound->client = client;
    inbound->walked = NULL;
    if (client != NULL) {
        mqtt_client_on_topics(client, walk, inbound);
        walk(inbound, client);
    }
}

void inbound_topics_changed(struct inbound *inbound)
{
    if (inbound->client != NULL)
        mqtt_client_topics_stale(inbound->client);
}
