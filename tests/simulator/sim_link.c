/* SPDX-License-Identifier: MIT
 *
 * libmosquitto on libuv for clients that only play. It knows connecting, subscribing and sockets;
 * it refuses to know what a payload means.
 */
#include "tests/simulator/sim_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>

#define LINK_TICK_MS     1000
#define LINK_KEEPALIVE_S 30

/* The poll handle of one socket. The library closes its socket before it says so, and the number
 * may be used again at once, so each connection has a handle of its own. */
struct link_socket {
    uv_poll_t poll;
    int events;
};

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void link_drop_socket(struct sim_link *link)
{
    if (link->socket == NULL)
        return;
    link->socket->poll.data = link->socket;
    uv_close((uv_handle_t *)&link->socket->poll, on_socket_closed);
    link->socket = NULL;
}

/* The client object itself goes in link_settle(), outside of its own callbacks. */
static void link_lose(struct sim_link *link, const char *why)
{
    link_drop_socket(link);
    if (!link->lost)
        snprintf(link->why, sizeof link->why, "%s", why);
    link->lost = true;
}

static void on_connect(struct mosquitto *client, void *arg, int code)
{
    struct sim_link *link = arg;
    if (code != 0) {
        link_lose(link, mosquitto_connack_string(code));
        return;
    }
    if (link->topic != NULL) {
        mosquitto_subscribe(client, NULL, link->topic, 1);
        return;
    }
    link->up = true;
    link->on_up(link->owner);
}

static void on_subscribe(struct mosquitto *client, void *arg, int mid, int count,
                         const int *granted)
{
    (void)client;
    (void)mid;
    struct sim_link *link = arg;
    if (count < 1 || granted[0] > 2) {
        link_lose(link, "the broker refused the subscription");
        return;
    }
    link->up = true;
    link->on_up(link->owner);
}

static void on_disconnect(struct mosquitto *client, void *arg, int code)
{
    (void)client;
    link_lose(arg, code == 0 ? "disconnected" : mosquitto_strerror(code));
}

static void on_message(struct mosquitto *client, void *arg, const struct mosquitto_message *message)
{
    (void)client;
    struct sim_link *link = arg;
    const size_t len = (size_t)message->payloadlen;
    /* The library puts a NUL behind each payload but has none to point at when there is no payload.
     */
    link->on_message(link->owner, message->topic, len == 0 ? "" : message->payload, len,
                     message->retain);
}

static void on_publish(struct mosquitto *client, void *arg, int mid)
{
    (void)client;
    (void)mid;
    struct sim_link *link = arg;
    if (link->on_acknowledged != NULL)
        link->on_acknowledged(link->owner);
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* After anything that may have made the library write or lose its connection. */
static void link_settle(struct sim_link *link)
{
    if (link->lost) {
        link->lost = link->up = false;
        mosquitto_destroy(link->client);
        link->client = NULL;
        link->on_down(link->owner, link->why);
        return;
    }
    const int events = UV_READABLE | (mosquitto_want_write(link->client) ? UV_WRITABLE : 0);
    if (link->socket != NULL && link->socket->events != events) {
        link->socket->events = events;
        uv_poll_start(&link->socket->poll, events, on_poll);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct sim_link *link = poll->data;
    /* A bare EPOLLERR comes as an error, without events, and stops the handle: reading tells. */
    if (status < 0 || (events & UV_READABLE)) {
        mosquitto_loop_read(link->client, 1);
        if (status < 0 && !link->lost)
            link_lose(link, uv_strerror(status));
    }
    if (!link->lost && mosquitto_want_write(link->client))
        mosquitto_loop_write(link->client, 1);
    link_settle(link);
}

/* Blocks while a name is looked up and while TCP connects: a simulator may. */
static void link_connect(struct sim_link *link)
{
    const struct sim_options *options = link->sim->options;
    link->why[0] = '\0';
    link->client = mosquitto_new(link->client_id, true, link);
    struct link_socket *socket = calloc(1, sizeof *socket);
    if (link->client == NULL || socket == NULL)
        goto fail;
    mosquitto_int_option(link->client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(link->client, on_connect);
    mosquitto_subscribe_callback_set(link->client, on_subscribe);
    mosquitto_disconnect_callback_set(link->client, on_disconnect);
    mosquitto_message_callback_set(link->client, on_message);
    mosquitto_publish_callback_set(link->client, on_publish);
    const int result = mosquitto_connect(link->client, options->broker_host, options->broker_port,
                                         LINK_KEEPALIVE_S);
    if (result != MOSQ_ERR_SUCCESS) {
        snprintf(link->why, sizeof link->why, "%s",
                 result == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(result));
        goto fail;
    }
    if (uv_poll_init(&link->sim->loop, &socket->poll, mosquitto_socket(link->client)) != 0)
        goto fail;
    socket->poll.data = link;
    link->socket = socket;
    link_settle(link);
    return;
fail:
    free(socket);
    mosquitto_destroy(link->client);
    link->client = NULL;
    link->on_down(link->owner, link->why[0] != '\0' ? link->why : "out of memory");
}

static void on_tick(uv_timer_t *timer)
{
    struct sim_link *link = timer->data;
    if (link->client == NULL) {
        link_connect(link);
        return;
    }
    mosquitto_loop_misc(link->client);
    link_settle(link);
}

void sim_link_open(struct sim_link *link)
{
    uv_timer_init(&link->sim->loop, &link->timer);
    link->timer.data = link;
    uv_timer_start(&link->timer, on_tick, LINK_TICK_MS, LINK_TICK_MS);
    link_connect(link);
}

bool sim_link_publish(struct sim_link *link, const char *topic, const char *text)
{
    /* Without a connection the library would keep the message and send it whenever one comes. */
    if (!link->up || link->lost)
        return false;
    const int result =
        mosquitto_publish(link->client, NULL, topic, (int)strlen(text), text, 1, false);
    if (link->socket != NULL && mosquitto_want_write(link->client)) {
        link->socket->events = UV_READABLE | UV_WRITABLE;
        uv_poll_start(&link->socket->poll, link->socket->events, on_poll);
    }
    return result == MOSQ_ERR_SUCCESS;
}

void sim_link_close(struct sim_link *link)
{
    if (link->client != NULL) {
        mosquitto_disconnect(link->client);
        link_drop_socket(link);
        mosquitto_destroy(link->client);
        link->client = NULL;
    }
    link->up = false;
    uv_close((uv_handle_t *)&link->timer, NULL);
}
