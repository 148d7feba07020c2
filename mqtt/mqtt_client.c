/* SPDX-License-Identifier: MIT
 *
 * The client as a whole: look-up, one link after the other with pauses between them, the walk over
 * the wanted topics, and its end. What happens on a link is in mqtt_link.c. The look-up runs on
 * libuv's pool, since getaddrinfo() blocks and the library would call it on the loop (PITFALLS 16);
 * the library only ever gets a numeric address.
 */
#include "mqtt/mqtt_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/log.h"
#include "server/base/names.h"
#include "server/base/secret.h"

bool mqtt_enter(struct mqtt_client *client)
{
    return client->closing || client->o.wake == NULL || client->o.wake(client->o.owner);
}

static void tell_down(struct mqtt_client *client)
{
    if (client->down_pending && client->depth == 0) {
        client->down_pending = false;
        if (!client->closing && client->o.on_down != NULL)
            client->o.on_down(client->o.owner, client->down_why);
    }
}

void mqtt_leave(struct mqtt_client *client)
{
    tell_down(client);
    client->input_fresh = false;
    if (!client->closing && client->o.settle != NULL)
        client->o.settle(client->o.owner);
    if (client->link != NULL)
        mqtt_link_arm(client->link);
}

void mqtt_input(struct mqtt_client *client)
{
    if (!client->input_open) {
        client->input_open = client->input_fresh = true;
        if (client->o.input_begin != NULL)
            client->o.input_begin(client->o.owner);
    }
}

static void on_kick(uv_prepare_t *handle)
{
    struct mqtt_client *client = handle->data;
    if (!mqtt_enter(client))
        return;
    uv_prepare_stop(handle);
    if (client->link != NULL) {
        mqtt_subs_send(client->link);
        mqtt_link_write(client->link);
    }
    mqtt_leave(client);
}

void mqtt_kick(struct mqtt_client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->kick))
        uv_prepare_start(&client->kick, on_kick);
}

/* The end */

static void free_client(struct mqtt_client *client)
{
    mqtt_tags_clear(client);
    mqtt_subs_free(client);
    SSL_CTX_free(client->tls);
    mosquitto_lib_cleanup();
    free(client);
}

void mqtt_handle_closed(struct mqtt_client *client)
{
    if (--client->handles > 0)
        return;
    void (*closed)(void *owner) = client->closed;
    void *owner = client->closed_owner;
    free_client(client);
    if (closed != NULL)
        closed(owner);
}

static void on_deadline(uv_timer_t *timer);
static void pause_then_retry(struct mqtt_client *client);

static void on_handle_closed(uv_handle_t *handle)
{
    mqtt_handle_closed(handle->data);
}

static void close_handles(struct mqtt_client *client)
{
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&client->retry, (uv_handle_t *)&client->deadline,
        (uv_handle_t *)&client->misc,  (uv_handle_t *)&client->refresh,
        (uv_handle_t *)&client->kick,
    };
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        uv_close(handles[i], on_handle_closed);
    if (client->looking)
        uv_cancel((uv_req_t *)&client->lookup);
}

void mqtt_client_close(struct mqtt_client *client, void (*done)(void *owner), void *owner)
{
    client->closing = true;
    if (client->topics_fn != NULL)
        client->topics_fn(client->topics_arg, NULL);
    client->topics_fn = NULL;
    client->closed = done;
    client->closed_owner = owner;
    struct mqtt_link *link = client->link;
    if (link == NULL) {
        close_handles(client);
        return;
    }
    if (link->dead || client->depth > 0 || !link->accepted ||
        !client->o.may_write(client->o.owner)) {
        mqtt_link_end(link, false, "closed");
        return;
    }
    mosquitto_disconnect_v5(link->mosq, 0, NULL);
    mqtt_link_write(link);
    if (client->link != NULL) {
        /* The socket is full: what was queued gets a little time. */
        uv_timer_start(&client->deadline, on_deadline, MQTT_CLOSE_MS, 0);
        mqtt_link_arm(link);
    }
}

/* One link after the other */

static void say_failure(struct mqtt_client *client, const char *why)
{
    if (strcmp(client->last_why, why) == 0) {
        log_debug("mqtt", "no connection to %s:%d: %s", client->o.host, client->port, why);
        return;
    }
    text_copy(client->last_why, sizeof client->last_why, why, strlen(why));
    log_warn("mqtt", "no connection to %s:%d: %s; trying again", client->o.host, client->port, why);
}

static void connect_next(struct mqtt_client *client)
{
    while (client->address_next < client->address_count) {
        const struct sockaddr_storage *address = &client->addresses[client->address_next++];
        char text[INET6_ADDRSTRLEN], why[MQTT_WHY_SIZE];
        uv_ip_name((const struct sockaddr *)address, text, sizeof text);
        if (mqtt_link_open(client, text, why, sizeof why) == ERR_OK) {
            uv_timer_start(&client->deadline, on_deadline, MQTT_CONNECT_MS, 0);
            return;
        }
        say_failure(client, why);
    }
    pause_then_retry(client);
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct mqtt_client *client = request->data;
    client->looking = false;
    if (client->closing) {
        uv_freeaddrinfo(found);
        mqtt_handle_closed(client);
        return;
    }
    client->handles--;
    client->address_count = client->address_next = 0;
    for (const struct addrinfo *a = found;
         a != NULL && status == 0 && client->address_count < MQTT_ADDRESSES; a = a->ai_next)
        memcpy(&client->addresses[client->address_count++], a->ai_addr, a->ai_addrlen);
    uv_freeaddrinfo(found);
    if (!mqtt_enter(client)) {
        pause_then_retry(client);
        return;
    }
    if (client->address_count == 0) {
        char why[MQTT_WHY_SIZE];
        snprintf(why, sizeof why, "the name has no address (%s)",
                 status != 0 ? uv_strerror(status) : "none found");
        say_failure(client, why);
    }
    connect_next(client);
    mqtt_leave(client);
}

static void attempt(struct mqtt_client *client)
{
    if (client->closing || client->link != NULL || client->looking)
        return;
    struct sockaddr_storage *numeric = &client->addresses[0];
    client->address_next = 0;
    client->address_count = 1;
    if (uv_ip4_addr(client->o.host, client->port, (struct sockaddr_in *)numeric) == 0 ||
        uv_ip6_addr(client->o.host, client->port, (struct sockaddr_in6 *)numeric) == 0) {
        connect_next(client);
        return;
    }
    client->address_count = 0;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int failed =
        uv_getaddrinfo(client->o.loop, &client->lookup, on_lookup, client->o.host, NULL, &hints);
    if (failed != 0) {
        say_failure(client, uv_strerror(failed));
        pause_then_retry(client);
        return;
    }
    client->looking = true;
    client->handles++;
}

static void on_retry(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    if (!mqtt_enter(client)) {
        uv_timer_start(timer, on_retry, MQTT_PAUSE_MIN_MS, 0);
        return;
    }
    if (client->address_next < client->address_count)
        connect_next(client);
    else
        attempt(client);
    mqtt_leave(client);
}

static void pause_then_retry(struct mqtt_client *client)
{
    /* Three quarters to five quarters of the pause, so that many servers don't come at once. */
    unsigned pause = client->pause_ms;
    uv_timer_start(&client->retry, on_retry, pause * 3 / 4 + secret_random(pause / 2 + 1), 0);
    client->pause_ms = pause * 2 < MQTT_PAUSE_MAX_MS ? pause * 2 : MQTT_PAUSE_MAX_MS;
}

void mqtt_link_is_gone(struct mqtt_client *client, struct mqtt_link *link)
{
    uv_timer_stop(&client->deadline);
    mqtt_tags_clear(client);
    mqtt_subs_link_gone(link);
    if (client->closing) {
        close_handles(client);
        return;
    }
    if (!link->up) {
        say_failure(client, link->why);
        if (!link->connected && !link->hard && client->address_next < client->address_count) {
            uv_timer_start(&client->retry, on_retry, 0, 0);
            return;
        }
    } else {
        log_warn("mqtt", "the connection to the broker is lost: %s", link->why);
        client->down_pending = true;
        text_copy(client->down_why, sizeof client->down_why, link->why, strlen(link->why));
        mqtt_kick(client);
        if ((int64_t)uv_now(client->o.loop) - link->up_at >= MQTT_GOOD_LINK_MS)
            client->pause_ms = MQTT_PAUSE_MIN_MS;
    }
    client->address_next = client->address_count = 0;
    pause_then_retry(client);
}

static void on_deadline(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    struct mqtt_link *link = client->link;
    if (!mqtt_enter(client)) {
        if (client->link != NULL)
            uv_timer_start(timer, on_deadline, MQTT_PAUSE_MIN_MS, 0);
        return;
    }
    if (link != NULL && client->link == link) {
        if (client->closing)
            mqtt_link_end(link, false, "closed");
        else if (link->connected && !client->o.may_read(client->o.owner))
            /* The answer may lie there unread: the turn has not let us look. */
            uv_timer_start(timer, on_deadline, MQTT_CONNECT_MS, 0);
        else if (!link->accepted)
            mqtt_link_end(link, true,
                          link->connected ? "the broker does not answer"
                                          : "the connection is not made in time");
    }
    mqtt_leave(client);
}

static void on_misc(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    if (!mqtt_enter(client))
        return;
    if (client->link != NULL)
        mqtt_link_misc(client->link);
    mqtt_leave(client);
}

/* Who names the topics */

static void walk_topics(struct mqtt_client *client)
{
    uint64_t begun = uv_hrtime();
    client->topics_fn(client->topics_arg, client);
    client->refreshed_at = uv_hrtime();
    client->refresh_ns = client->refreshed_at - begun;
}

static void on_refresh(uv_timer_t *timer)
{
    struct mqtt_client *client = timer->data;
    if (!mqtt_enter(client)) {
        uv_timer_start(timer, on_refresh, MQTT_PAUSE_MIN_MS, 0);
        return;
    }
    if (client->topics_fn != NULL)
        walk_topics(client);
    mqtt_leave(client);
}

void mqtt_client_on_topics(struct mqtt_client *client, mqtt_topics_fn *fn, void *arg)
{
    client->topics_fn = fn;
    client->topics_arg = arg;
}

void mqtt_client_topics_stale(struct mqtt_client *client)
{
    if (client->topics_fn == NULL || client->closing)
        return;
    if (client->link == NULL || !client->link->accepted) {
        uv_timer_stop(&client->refresh);
        walk_topics(client);
        return;
    }
    if (uv_is_active((uv_handle_t *)&client->refresh))
        return;
    uint64_t since = uv_hrtime() - client->refreshed_at;
    uint64_t rest = client->refresh_ns * MQTT_REFRESH_FACTOR;
    uv_timer_start(&client->refresh, on_refresh, rest > since ? (rest - since) / 1000000 : 0, 0);
}

/* The rest of the interface */

static void init_handles(struct mqtt_client *client)
{
    uv_timer_t *const timers[] = {&client->retry, &client->deadline, &client->misc,
                                  &client->refresh};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(client->o.loop, timers[i]);
        timers[i]->data = client;
    }
    uv_prepare_init(client->o.loop, &client->kick);
    client->kick.data = client;
    client->lookup.data = client;
    client->handles = 5;
}

enum err mqtt_client_new(const struct mqtt_options *options, struct mqtt_client **out,
                         struct cause *cause)
{
    struct mqtt_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "out of memory");
    client->o = *options;
    client->port = options->port;
    client->pause_ms = MQTT_PAUSE_MIN_MS;
    clock_init_system(&client->clock);
    TAILQ_INIT(&client->needed_queue);
    TAILQ_INIT(&client->background_queue);
    TAILQ_INIT(&client->recorded);
    if (options->client_id[0] != '\0') {
        text_copy(client->id, sizeof client->id, options->client_id, strlen(options->client_id));
    } else {
        char id[SECRET_ID_SIZE];
        secret_new_id(id);
        snprintf(client->id, sizeof client->id, "gatehouse-%s", id);
    }
    if (mosquitto_lib_init() != MOSQ_ERR_SUCCESS) {
        free(client);
        return cause_set(cause, ERR_INTERNAL, "the MQTT library does not start");
    }
    if (options->tls) {
        enum err failed = mqtt_tls_new(client, cause);
        if (failed != ERR_OK) {
            free_client(client);
            return failed;
        }
    }
    init_handles(client);
    *out = client;
    return ERR_OK;
}

void mqtt_client_start(struct mqtt_client *client)
{
    if (client->started)
        return;
    client->started = true;
    uv_timer_start(&client->misc, on_misc, 1000, 1000);
    attempt(client);
}

void mqtt_client_set_port(struct mqtt_client *client, int port)
{
    if (client->port != port && client->link != NULL && !client->link->accepted)
        mqtt_link_end(client->link, true, "the broker is elsewhere now");
    client->port = port;
    if (client->started && client->link == NULL && !client->looking && !client->closing) {
        client->pause_ms = MQTT_PAUSE_MIN_MS;
        client->address_next = client->address_count = 0;
        uv_timer_start(&client->retry, on_retry, 0, 0);
    }
}

bool mqtt_client_is_up(const struct mqtt_client *client)
{
    return client->link != NULL && client->link->up && !client->link->dead && !client->closing;
}

bool mqtt_client_sees_pubrec(const struct mqtt_client *client)
{
    return !client->blind;
}

void mqtt_client_pump(struct mqtt_client *client)
{
    struct mqtt_link *link = client->link;
    if (link == NULL || client->depth > 0)
        return;
    mqtt_link_write(link);
    if (client->link == link)
        mqtt_link_read(link);
    if (client->link == link)
        mqtt_link_write(link);
    if (client->link == link)
        mqtt_link_arm(link);
    /* Whoever called may have ended the turn before: what was read now needs its own end. */
    if (client->input_fresh)
        mqtt_kick(client);
}

void mqtt_client_drop(struct mqtt_client *client, const char *why)
{
    if (client->link != NULL)
        mqtt_link_end(client->link, true, "%s", why);
}
