/* SPDX-License-Identifier: MIT
 *
 * What the client wants to hear, kept over all links, and how it asks for it: needed topics at
 * once, the others in pieces of which one is on its way at a time, so that a broker with a hundred
 * thousand of them still answers everybody else in between. QoS 1, never 2 (PITFALLS 19).
 */
#include "mqtt/mqtt_priv.h"

#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "server/base/log.h"

static void enqueue(struct mqtt_client *client, struct mqtt_sub *sub)
{
    sub->state = SUB_WAITING;
    if (!sub->needed)
        TAILQ_INSERT_TAIL(&client->background_queue, sub, entry);
    else if (sub->required)
        /* Messages that ask for answers come on these: all others are listened to before. */
        TAILQ_INSERT_TAIL(&client->needed_queue, sub, entry);
    else
        TAILQ_INSERT_HEAD(&client->needed_queue, sub, entry);
}

static void dequeue(struct mqtt_client *client, struct mqtt_sub *sub)
{
    if (sub->state == SUB_WAITING)
        TAILQ_REMOVE(sub->needed ? &client->needed_queue : &client->background_queue, sub, entry);
    sub->state = SUB_IDLE;
}

static void forget(struct mqtt_client *client, struct mqtt_sub *sub)
{
    dequeue(client, sub);
    HASH_DEL(client->subs, sub);
    free(sub);
}

static void restart(struct mqtt_client *client)
{
    TAILQ_INIT(&client->needed_queue);
    TAILQ_INIT(&client->background_queue);
    struct mqtt_sub *sub, *next;
    HASH_ITER (hh, client->subs, sub, next) {
        sub->state = SUB_IDLE;
        if (sub->unwanted)
            forget(client, sub);
        else
            enqueue(client, sub);
    }
}

void mqtt_subs_free(struct mqtt_client *client)
{
    struct mqtt_sub *sub, *next;
    HASH_ITER (hh, client->subs, sub, next) {
        HASH_DEL(client->subs, sub);
        free(sub);
    }
}

/* Asking */

static struct mqtt_piece *take_piece(struct mqtt_sub_queue *queue, char **topics)
{
    struct mqtt_piece *piece = calloc(1, sizeof *piece + MQTT_PIECE * sizeof piece->subs[0]);
    if (piece == NULL)
        return NULL;
    struct mqtt_sub *sub;
    while (piece->count < MQTT_PIECE && (sub = TAILQ_FIRST(queue)) != NULL) {
        TAILQ_REMOVE(queue, sub, entry);
        sub->state = SUB_ASKED;
        piece->needed = sub->needed;
        topics[piece->count] = sub->topic;
        piece->subs[piece->count++] = sub;
    }
    return piece;
}

static bool send_piece(struct mqtt_link *link, struct mqtt_sub_queue *queue)
{
    char *topics[MQTT_PIECE];
    struct mqtt_piece *piece = take_piece(queue, topics);
    if (piece == NULL) {
        mqtt_link_end(link, false, "out of memory");
        return false;
    }
    piece->next = link->pieces;
    link->pieces = piece;
    if (piece->needed)
        link->needed_open++;
    else
        link->background_open = true;
    int rc = mosquitto_subscribe_multiple(link->mosq, &piece->mid, (int)piece->count, topics, 1,
                                          MQTT_SUB_OPT_NO_LOCAL | MQTT_SUB_OPT_RETAIN_AS_PUBLISHED,
                                          NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_link_end(link, false, "subscribing failed: %s", mosquitto_strerror(rc));
    return rc == MOSQ_ERR_SUCCESS;
}

static void up_when_subscribed(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    if (link->up || link->dead || client->closing || link->needed_open > 0 ||
        !TAILQ_EMPTY(&client->needed_queue))
        return;
    link->up = true;
    link->up_at = (int64_t)uv_now(client->o.loop);
    client->last_why[0] = '\0';
    log_info("mqtt", "connected to %s:%d", client->o.host, client->port);
    if (client->o.on_up != NULL)
        client->o.on_up(client->o.owner);
}

void mqtt_subs_send(struct mqtt_link *link)
{
    struct mqtt_client *client = link->client;
    if (link->dead || !link->accepted || client->closing)
        return;
    while (!TAILQ_EMPTY(&client->needed_queue))
        if (!send_piece(link, &client->needed_queue))
            return;
    if (!link->background_open && !TAILQ_EMPTY(&client->background_queue) &&
        !send_piece(link, &client->background_queue))
        return;
    if (mosquitto_want_write(link->mosq))
        mqtt_kick(client);
    up_when_subscribed(link);
}

/* The broker's answer */

static void stop_listening(struct mqtt_link *link, const char *topic)
{
    if (mosquitto_unsubscribe(link->mosq, NULL, topic) != MOSQ_ERR_SUCCESS)
        log_warn("mqtt", "could not unsubscribe from %s", topic);
    mqtt_kick(link->client);
}

static void sub_answered(struct mqtt_link *link, struct mqtt_sub *sub, int code)
{
    sub->state = code < 0x80 ? SUB_DONE : SUB_IDLE;
    if (sub->unwanted) {
        if (sub->state == SUB_DONE)
            stop_listening(link, sub->topic);
        forget(link->client, sub);
    } else if (code >= 0x80) {
        log_warn("mqtt", "the broker refuses the subscription to %s: %s", sub->topic,
                 mosquitto_reason_string(code));
        if (sub->required)
            mqtt_link_end(link, false, "the broker refuses the subscription to %s: %s", sub->topic,
                          mosquitto_reason_string(code));
    }
}

void mqtt_subs_acked(struct mqtt_link *link, int mid, int count, const int *codes)
{
    struct mqtt_piece **at = &link->pieces;
    while (*at != NULL && (*at)->mid != mid)
        at = &(*at)->next;
    struct mqtt_piece *piece = *at;
    if (piece == NULL)
        return;
    *at = piece->next;
    if (piece->needed)
        link->needed_open--;
    else
        link->background_open = false;
    for (size_t i = 0; i < piece->count; i++)
        sub_answered(link, piece->subs[i], i < (size_t)count ? codes[i] : 0x80);
    free(piece);
    mqtt_subs_send(link);
}

void mqtt_subs_link_gone(struct mqtt_link *link)
{
    struct mqtt_piece *piece = link->pieces;
    while (piece != NULL) {
        struct mqtt_piece *next = piece->next;
        free(piece);
        piece = next;
    }
    link->pieces = NULL;
    if (link->accepted)
        restart(link->client);
}

/* What is wanted */

static void upgrade(struct mqtt_client *client, struct mqtt_sub *sub, bool needed, bool required)
{
    if ((!needed || sub->needed) && (!required || sub->required))
        return;
    bool waiting = sub->state == SUB_WAITING;
    if (waiting)
        dequeue(client, sub);
    if (needed && !sub->needed)
        client->needed_total++;
    sub->needed = sub->needed || needed;
    sub->required = sub->required || required;
    if (waiting)
        enqueue(client, sub);
}

static void name_in_round(struct mqtt_client *client, struct mqtt_sub *sub)
{
    if (sub->generation != client->generation && sub->needed)
        client->needed_named++;
    sub->generation = client->generation;
}

static enum err want(struct mqtt_client *client, const char *topic, bool needed, bool required)
{
    size_t len = strlen(topic);
    struct mqtt_sub *sub;
    HASH_FIND(hh, client->subs, topic, len, sub);
    if (sub == NULL) {
        if (mosquitto_sub_topic_check(topic) != MOSQ_ERR_SUCCESS ||
            mosquitto_validate_utf8(topic, (int)len) != MOSQ_ERR_SUCCESS)
            return ERR_BAD_INPUT;
        sub = calloc(1, sizeof *sub + len + 1);
        if (sub == NULL)
            return ERR_NO_MEMORY;
        memcpy(sub->topic, topic, len + 1);
        sub->needed = needed;
        sub->required = required;
        sub->generation = client->generation - 1;
        HASH_ADD_KEYPTR(hh, client->subs, sub->topic, len, sub);
        client->needed_total += needed;
        enqueue(client, sub);
        if (client->link != NULL && client->link->accepted)
            mqtt_kick(client);
    } else {
        if (sub->unwanted && sub->needed)
            client->needed_total++;
        sub->unwanted = false;
        upgrade(client, sub, needed, required);
    }
    name_in_round(client, sub);
    return ERR_OK;
}

enum err mqtt_client_subscribe(struct mqtt_client *client, const char *topic, bool needed)
{
    return want(client, topic, needed, false);
}

enum err mqtt_client_require(struct mqtt_client *client, const char *topic)
{
    return want(client, topic, true, true);
}

static void unwant(struct mqtt_client *client, struct mqtt_sub *sub)
{
    if (sub->unwanted)
        return;
    client->needed_total -= sub->needed;
    if (sub->state == SUB_ASKED) {
        sub->unwanted = true;
        return;
    }
    if (sub->state == SUB_DONE && client->link != NULL && !client->link->dead)
        stop_listening(client->link, sub->topic);
    forget(client, sub);
}

void mqtt_client_unsubscribe(struct mqtt_client *client, const char *topic)
{
    struct mqtt_sub *sub;
    HASH_FIND(hh, client->subs, topic, strlen(topic), sub);
    if (sub != NULL)
        unwant(client, sub);
}

void mqtt_client_topics_begin(struct mqtt_client *client)
{
    client->generation++;
    client->needed_named = 0;
}

void mqtt_client_topics_end(struct mqtt_client *client, bool all)
{
    if (!all && client->needed_named == client->needed_total)
        return;
    struct mqtt_sub *sub, *next;
    HASH_ITER (hh, client->subs, sub, next) {
        if (sub->generation != client->generation && (all || sub->needed))
            unwant(client, sub);
    }
}
