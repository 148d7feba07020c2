/* SPDX-License-Identifier: MIT
 *
 * The house: one libuv loop that hosts the HTTP adapter and the MQTT client, the turn between them,
 * and the threads for storage, queries and files. server.c builds and ends it, server_glue.c joins
 * the rooms, server_first.c does what only a first start does, server_health.c says what is wrong.
 * Loop thread.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <uv.h>

#include "actions/action.h"
#include "mqtt/broker.h"
#include "mqtt/inbound.h"
#include "mqtt/mqtt_client.h"
#include "server/base/buf.h"
#include "server/config.h"
#include "server/hop.h"
#include "server/http.h"
#include "state/pictures.h"
#include "state/store.h"
#include "state/turn.h"

struct control;
struct static_files;

/* CONTRACT 2.3: a server that stood still for longer refuses what it finds waiting; so it does with
 * a request that waited as long for a place among the connections. */
#define SERVER_LATE_MS 2000

struct server {
    const struct config *config;
    struct clock clock;
    int64_t started_at;

    uv_loop_t loop;
    uv_timer_t tick;
    uv_timer_t chores; /* once a minute: retention and rows whose time is over */
    uv_signal_t term, interrupt, hang_up;
    struct hop *hop;

    int folder_fd; /* the data folder's lock */
    struct store *store;
    struct pictures *pictures;
    struct turn *turn;
    struct actions *actions;
    struct inbound *inbound;
    struct mqtt_client *mqtt;
    struct broker *broker; /* NULL with an external one */
    struct http *http;
    struct static_files *files;
    struct control *control;

    int http_port, mqtt_port;
    char public_url[320];
    char host_names[4][300]; /* ours, for the Host check */
    const char *host_list[5];
    char newest_picture[SECRET_ID_SIZE];
    char broker_trouble[256]; /* why the broker is not there; "" */
    uint64_t *route_uses;     /* one per row of route_table */

    int64_t last_turn_boot; /* when a callback began last, boot clock */
    int64_t asleep_until; /* after a standstill: unsafe requests are refused until then; 0: awake */
    bool said_ready, stopping;
    void (*replace)(void *arg);  /* waits until changes stopped; NULL: none wanted */
    void (*replaced)(void *arg); /* waits until the registry is loaded again; NULL: nobody */
    void *replace_arg;
    bool replacing;   /* it runs */
    bool first_start; /* an admin token was made and is to be shown */
    char admin_secret[SECRET_TOKEN_SIZE], admin_code[SECRET_TOKEN_SIZE];
    int exit_status;
    int closing; /* parts whose close is under way */
};

/* Builds, runs and stops; returns the process's exit status: 0 a clean stop, 1 it could not start
 * or run on. */
int server_run(const struct config *config);

/* Begins an orderly stop. */
void server_stop(struct server *server, int exit_status);

typedef int server_list_fn(struct server *server, struct buf *out);
/* What is wrong at the moment: writes one line each, returns how many. 0: ready. */
int server_problems(struct server *server, struct buf *out);
/* What works but should be known (anonymous senders, open addresses): one line each. */
int server_warnings(struct server *server, struct buf *out);
/* Says the ready line once, when all is there; on a first start also the address that opens the
 * page. */
void server_say_ready(struct server *server);
/* What only the first start does: the admin's token, the configuration's custom keys. */
enum err server_first_start(struct server *server);

/* server_glue.c: fills the options of the rooms so that they reach each other through this server.
 */
bool server_wake(void *owner);
void server_settle(void *owner);
struct turn_keeper server_keeper(struct server *server);
void server_turn_settled(void *arg, enum err result);
struct ports server_ports(struct server *server);
void server_mqtt_options(struct server *server, struct mqtt_options *options);
void server_broker_options(struct server *server, struct broker_options *options);
void server_http_options(struct server *server, struct http_options *options);
void server_on_tick(uv_timer_t *timer);
void server_on_chores(uv_timer_t *timer);
/* The store changes as a whole under the registry (import, restore): changes are refused meanwhile,
 * then all is loaded again. `change` starts the work and calls server_replaced() when it is done;
 * called when the server stops, it only ends what waits. ERR_CONFLICT while another one runs. */
enum err server_replace(struct server *server, void (*change)(void *arg), void *arg);
/* `told` is called when the registry has it and changes are taken again, or when the server stops.
 */
void server_replaced(struct server *server, void (*told)(void *arg), void *arg);
void server_tell_replaced(struct server *server);

#endif
