/* SPDX-License-Identifier: MIT
 *
 * Publishing, and what becomes of a publish with a tag. The library tells of PUBCOMP but not of
 * PUBREC, which is when the broker has the message; only its debug log does, "Client ID received
 * PUBREC (Mid: N)" in 2.0.11, without the reason code: a refusal follows as the publish callback at
 * once. So a logged PUBREC counts when the library has returned and no refusal came.
 */
#include "mqtt/mqtt_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "server/base/log.h"
#include "server/base/names.h"

static void tag_free(struct mqtt_client *client, struct mqtt_tag *tag)
{
    if (tag->recorded)
        TAILQ_REMOVE(&client->recorded, tag, entry);
    HASH_DEL(client->tags, tag);
    free(tag);
}

void mqtt_tags_clear(struct mqtt_client *client)
{
    struct mqtt_tag *tag, *next;
    HASH_ITER (hh, client->tags, tag, next) {
        tag_free(client, tag);
    }
}

void mqtt_tags_log_line(struct mqtt_link *link, const char *line)
{
    struct mqtt_client *client = link->client;
    if (client->tags == NULL)
        return;
    char head[192];
    size_t len =
        (size_t)snprintf(head, sizeof head, "Client %s received PUBREC (Mid: ", client->id);
    if (len >= sizeof head || strncmp(line, head, len) != 0)
        return;
    int mid = (int)strtol(line + len, NULL, 10);
    struct mqtt_tag *tag;
    HASH_FIND_INT(client->tags, &mid, tag);
    if (tag != NULL && !tag->recorded && !tag->taken) {
        tag->recorded = true;
        TAILQ_INSERT_TAIL(&client->recorded, tag, entry);
    }
}

static void tell_taken(struct mqtt_client *client, struct mqtt_tag *tag)
{
    if (tag->recorded)
        TAILQ_REMOVE(&client->recorded, tag, entry);
    tag->recorded = false;
    if (tag->taken)
        return;
    tag->taken = true;
    mqtt_input(client);
    if (client->o.on_taken != NULL)
        client->o.on_taken(client->o.owner, tag->text);
}

void mqtt_tags_settle(struct mqtt_link *link)
{
    struct mqtt_tag *tag;
    while (!link->dead && (tag = TAILQ_FIRST(&link->client->recorded)) != NULL)
        tell_taken(link->client, tag);
}

void mqtt_tags_published(struct mqtt_link *link, int mid, int reason)
{
    struct mqtt_client *client = link->client;
    struct mqtt_tag *tag;
    HASH_FIND_INT(client->tags, &mid, tag);
    if (tag == NULL)
        return;
    if (reason >= 0x80) {
        mqtt_input(client);
        log_warn("mqtt", "the broker refuses a message: %s", mosquitto_reason_string(reason));
        if (client->o.on_rejected != NULL)
            client->o.on_rejected(client->o.owner, tag->text);
    } else {
        if (tag->qos2 && !tag->recorded && !tag->taken && !client->blind) {
            client->blind = true;
            log_warn("mqtt", "the MQTT library does not log PUBREC: waiting for PUBCOMP instead");
        }
        tell_taken(client, tag);
        if (!link->dead && client->o.on_handed_over != NULL)
            client->o.on_handed_over(client->o.owner, tag->text);
    }
    tag_free(client, tag);
    if (client->tags == NULL)
        mqtt_link_log(link, false);
}

static enum err err_of(int rc)
{
    switch (rc) {
    case MOSQ_ERR_SUCCESS:
        return ERR_OK;
    case MOSQ_ERR_NOMEM:
        return ERR_NO_MEMORY;
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
        return ERR_TOO_LARGE;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
        return ERR_BAD_INPUT;
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
        return ERR_UNSUPPORTED;
    default:
        return ERR_NO_LINK;
    }
}

static int add_expiry(struct mqtt_client *client, mosquitto_property **properties, uint32_t expiry)
{
    char until[24];
    snprintf(until, sizeof until, "%" PRId64,
             clock_wall_ms(&client->clock) + (int64_t)expiry * 1000);
    int rc = mosquitto_property_add_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY, "expires",
                                                until);
    return rc;
}

static struct mqtt_tag *tag_new(const char *text, int qos)
{
    struct mqtt_tag *tag = calloc(1, sizeof *tag);
    if (tag != NULL) {
        tag->qos2 = qos == 2;
        text_copy(tag->text, sizeof tag->text, text, strlen(text));
    }
    return tag;
}

static void tag_add(struct mqtt_client *client, struct mqtt_tag *tag, int mid)
{
    struct mqtt_tag *old;
    HASH_FIND_INT(client->tags, &mid, old);
    if (old != NULL)
        tag_free(client, old);
    tag->mid = mid;
    HASH_ADD_INT(client->tags, mid, tag);
    mqtt_link_log(client->link, true);
}

enum err mqtt_client_publish(struct mqtt_client *client, const char *topic, const void *payload,
                             size_t len, int qos, bool retain, uint32_t expiry_s, const char *tag)
{
    if (!mqtt_client_is_up(client))
        return ERR_NO_LINK;
    struct mqtt_link *link = client->link;
    if (link->in_flight >= MQTT_MAX_IN_FLIGHT)
        return ERR_LIMIT;
    if (len > MQTT_MAX_PACKET)
        return ERR_TOO_LARGE;
    struct mqtt_tag *noted = NULL;
    if (tag != NULL && qos > 0 && (noted = tag_new(tag, qos)) == NULL)
        return ERR_NO_MEMORY;
    mosquitto_property *properties = NULL;
    int mid = 0;
    int rc = expiry_s > 0 ? add_expiry(client, &properties, expiry_s) : MOSQ_ERR_SUCCESS;
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_publish_v5(link->mosq, &mid, topic, (int)len, payload, qos, retain,
                                  properties);
    mosquitto_property_free_all(&properties);
    if (rc != MOSQ_ERR_SUCCESS) {
        free(noted);
        return err_of(rc);
    }
    link->in_flight++;
    if (noted != NULL)
        tag_add(client, noted, mid);
    mqtt_kick(client);
    return ERR_OK;
}

enum err mqtt_client_clear_retained(struct mqtt_client *client, const char *topic)
{
    struct mqtt_link *link = client->link;
    if (link == NULL || !link->accepted || link->dead || client->closing)
        return ERR_NO_LINK;
    if (link->in_flight >= MQTT_MAX_IN_FLIGHT)
        return ERR_LIMIT;
    int rc = mosquitto_publish_v5(link->mosq, NULL, topic, 0, NULL, 1, true, NULL);
    if (rc == MOSQ_ERR_SUCCESS) {
        link->in_flight++;
        mqtt_kick(client);
    }
    return err_of(rc);
}
