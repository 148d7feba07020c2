/* SPDX-License-Identifier: MIT
 *
 * What joins the rooms: the turn's keeper is the store, the actions' ports are the MQTT client, and
 * each callback of the loop begins with a look at the clock and ends with the end of the turn.
 */
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actions/command.h"
#include "server/auth.h"
#include "server/base/log.h"
#include "server/exchange.h"
#include "server/routes.h"

/* How long after it what is read may still have waited. */
#define WAKING_MS 250
/* The heartbeat that tells a standstill from having nothing to do. */
#define TICK_MS 500

bool server_wake(void *owner)
{
    struct server *server = owner;
    int64_t now = clock_boot_ms(&server->clock), gap = now - server->last_turn_boot;
    server->last_turn_boot = now;
    if (gap <= SERVER_LATE_MS)
        return true;
    log_warn("server",
             "stood still for %" PRId64 " ms: the link to the broker is dropped unread, unsafe "
             "requests that waited are refused",
             gap);
    server->asleep_until = now + WAKING_MS;
    if (server->actions)
        commands_stalled(server->actions);
    if (server->mqtt)
        mqtt_client_drop(server->mqtt, "the server stood still");
    return false;
}

static void arm_tick(struct server *server)
{
    int64_t wait = actions_next_due(server->actions) - clock_boot_ms(&server->clock);
    if (wait > TICK_MS)
        wait = TICK_MS;
    if (wait < 1)
        wait = 1;
    uint64_t due_in = uv_timer_get_due_in(&server->tick);
    if (!uv_is_active((uv_handle_t *)&server->tick) || due_in > (uint64_t)wait)
        uv_timer_start(&server->tick, server_on_tick, (uint64_t)wait, 0);
}

void server_settle(void *owner)
{
    struct server *server = owner;
    if (!server->turn)
        return;
    turn_end(server->turn);
    if (server->replace && turn_exclude(server->turn)) {
        void (*change)(void *arg) = server->replace;
        server->replace = NULL;
        server->replacing = true;
        change(server->replace_arg);
    }
    if (server->replaced && !turn_ready(server->turn))
        server_tell_replaced(server);
    if (server->mqtt)
        mqtt_client_pump(server->mqtt);
    if (server->actions && !server->stopping)
        arm_tick(server);
}

void server_on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    server_wake(server);
    int64_t now = clock_boot_ms(&server->clock);
    if (server->asleep_until && now >= server->asleep_until && http_is_drained(server->http)) {
        server->asleep_until = 0;
        commands_awake(server->actions);
    }
    commands_tick(server->actions);
    turn_tick(server->turn);
    server_settle(server);
}

void server_on_chores(uv_timer_t *timer)
{
    struct server *server = timer->data;
    server_wake(server);
    int64_t now_at = clock_wall_ms(&server->clock);
    if (!turn_ready(server->turn)) {
        auth_prune(server->turn, now_at);
        pictures_retain(server->pictures, server->store, server->turn, now_at);
        store_prune(server->store,
                    now_at - server->config->retention_audit_days * 24 * 3600 * 1000);
    }
    server_settle(server);
}

/* ---- the turn's keeper: the store ---- */

static void keeper_kept(void *arg, enum err result)
{
    struct server *server = arg;
    turn_kept(server->turn, result);
}

static void keeper_reloaded(void *arg, struct registry *fresh, enum err result)
{
    struct server *server = arg;
    turn_reloaded(server->turn, fresh, result);
    if (result)
        return;
    commands_recover(server->actions); /* its tick goes on once changes are taken again */
    inbound_topics_changed(server->inbound);
    turn_tick(server->turn);
}

static void keeper_keep(void *owner, struct batch *batch)
{
    struct server *server = owner;
    store_keep(server->store, batch, keeper_kept, server);
}

static void keeper_reload(void *owner)
{
    struct server *server = owner;
    store_reload(server->store, keeper_reloaded, server);
}

struct turn_keeper server_keeper(struct server *server)
{
    return (struct turn_keeper){.keep = keeper_keep, .reload = keeper_reload, .owner = server};
}

enum err server_replace(struct server *server, void (*change)(void *arg), void *arg)
{
    if (server->stopping)
        return ERR_STOPPING;
    if (server->replace || server->replacing)
        return ERR_CONFLICT;
    if (turn_ready(server->turn))
        return turn_ready(server->turn);
    server->replace = change;
    server->replace_arg = arg;
    return ERR_OK;
}

void server_replaced(struct server *server, void (*told)(void *arg), void *arg)
{
    server->replaced = told;
    server->replace_arg = arg;
    server->replacing = told != NULL;
    turn_reload(server->turn);
}

void server_tell_replaced(struct server *server)
{
    void (*told)(void *arg) = server->replaced;
    server->replaced = NULL;
    server->replacing = false;
    if (told)
        told(server->replace_arg);
}

/* After each commit, before the next batch goes: MQTT may be read and written now. When the commit
 * failed, what the library holds must not leave, acknowledgements of what was not kept above all.
 */
void server_turn_settled(void *arg, enum err result)
{
    struct server *server = arg;
    if (!server->mqtt)
        return;
    if (result)
        mqtt_client_drop(server->mqtt, "changes could not be stored");
    else
        mqtt_client_pump(server->mqtt);
}

/* ---- the actions' ports: the MQTT client ---- */

static bool port_link_up(void *owner)
{
    struct server *server = owner;
    return server->mqtt && mqtt_client_is_up(server->mqtt);
}

static enum err port_publish(void *owner, const char *topic, const char *payload, int qos,
                             uint32_t expiry_s, const char *tag)
{
    struct server *server = owner;
    if (!server->mqtt)
        return ERR_NO_LINK;
    return mqtt_client_publish(server->mqtt, topic, payload, strlen(payload), qos, false, expiry_s,
                               tag);
}

static void port_drop_link(void *owner, const char *why)
{
    struct server *server = owner;
    if (server->mqtt)
        mqtt_client_drop(server->mqtt, why);
}

static void port_topics_changed(void *owner)
{
    struct server *server = owner;
    inbound_topics_changed(server->inbound);
}

static const char *port_public_url(void *owner)
{
    struct server *server = owner;
    return server->public_url;
}

struct ports server_ports(struct server *server)
{
    return (struct ports){
        .owner = server,
        .link_up = port_link_up,
        .publish = port_publish,
        .drop_link = port_drop_link,
        .topics_changed = port_topics_changed,
        .public_url = port_public_url,
    };
}

/* ---- the MQTT client's callbacks ---- */

static bool mqtt_may_read(void *owner)
{
    struct server *server = owner;
    return turn_may_read(server->turn);
}

static bool mqtt_may_write(void *owner)
{
    struct server *server = owner;
    return turn_may_write(server->turn);
}

static void mqtt_input_begin(void *owner)
{
    struct server *server = owner;
    turn_mark_input(server->turn);
}

static void mqtt_input_end(void *owner)
{
    (void)owner;
}

static void mqtt_on_message(void *owner, const struct mqtt_message *message)
{
    struct server *server = owner;
    inbound_message(server->inbound, message);
}

static void mqtt_on_up(void *owner)
{
    struct server *server = owner;
    server->broker_trouble[0] = '\0';
    commands_link_up(server->actions);
    server_say_ready(server);
}

static void mqtt_on_down(void *owner, const char *why)
{
    struct server *server = owner;
    snprintf(server->broker_trouble, sizeof server->broker_trouble, "%s", why);
    commands_link_down(server->actions);
}

static void mqtt_on_taken(void *owner, const char *tag)
{
    struct server *server = owner;
    commands_taken(server->actions, tag);
}

static void mqtt_on_handed_over(void *owner, const char *tag)
{
    struct server *server = owner;
    commands_handed_over(server->actions, tag);
}

static void mqtt_on_rejected(void *owner, const char *tag)
{
    struct server *server = owner;
    commands_rejected(server->actions, tag);
}

void server_mqtt_options(struct server *server, struct mqtt_options *options)
{
    const struct config *config = server->config;
    *options = (struct mqtt_options){
        .loop = &server->loop,
        .port = config->broker_port,
        .tls = config->broker_tls,
        .owner = server,
        .may_read = mqtt_may_read,
        .may_write = mqtt_may_write,
        .input_begin = mqtt_input_begin,
        .input_end = mqtt_input_end,
        .on_message = mqtt_on_message,
        .on_up = mqtt_on_up,
        .on_down = mqtt_on_down,
        .on_taken = mqtt_on_taken,
        .on_handed_over = mqtt_on_handed_over,
        .on_rejected = mqtt_on_rejected,
        .wake = server_wake,
        .settle = server_settle,
    };
    snprintf(options->host, sizeof options->host, "%s", config->broker_host);
    snprintf(options->username, sizeof options->username, "%s", config->mqtt_username);
    snprintf(options->password, sizeof options->password, "%s", config->mqtt_password);
    snprintf(options->ca_file, sizeof options->ca_file, "%s", config->mqtt_ca_file);
    snprintf(options->client_id, sizeof options->client_id, "%s", config->mqtt_client_id);
}

/* ---- the embedded broker's callbacks ---- */

static void broker_on_started(void *owner, int port)
{
    struct server *server = owner;
    server->mqtt_port = port;
    mqtt_client_set_port(server->mqtt, port);
    mqtt_client_start(server->mqtt);
}

static void broker_on_ended(void *owner, const char *why)
{
    struct server *server = owner;
    snprintf(server->broker_trouble, sizeof server->broker_trouble, "%s", why);
}

void server_broker_options(struct server *server, struct broker_options *options)
{
    const struct config *config = server->config;
    *options = (struct broker_options){
        .loop = &server->loop,
        .self = "/proc/self/exe",
        .data_dir = config->data_dir,
        .listen = config->mqtt_listen,
        .port = (int)config->mqtt_port,
        .tls_port = (int)config->mqtt_tls_port,
        .tls_cert = config->mqtt_tls_cert,
        .tls_key = config->mqtt_tls_key,
        .owner = server,
        .on_started = broker_on_started,
        .on_ended = broker_on_ended,
    };
}

void server_http_options(struct server *server, struct http_options *options)
{
    const struct config *config = server->config;
    *options = (struct http_options){
        .loop = &server->loop,
        .listen = config->http_listen,
        .port = (int)config->http_port,
        .max_upload_bytes = config->http_max_upload_mb << 20,
        .owner = server,
        .on_headers = exchange_on_headers,
        .on_request = exchange_on_request,
        .on_file_piece = route_upload_piece,
        .on_end = exchange_on_end,
        .wake = server_wake,
        .settle = server_settle,
    };
}
