/* SPDX-License-Identifier: MIT
 *
 * The house: one libuv loop that hosts the HTTP adapter and the MQTT client, the turn between them,
 * and the threads for storage, queries and files. Ordered start, reverse-ordered stop; it fails
 * when a handle is left open at the end.
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
#include "server/http.h"
#include "state/pictures.h"
#include "state/store.h"
#include "state/turn.h"

struct control;
struct hop;

struct server {
    const struct config *config;
    struct clock clock;
    uv_loop_t loop;
    struct hop *hop;
    struct store *store;
    struct pictures *pictures;
    struct turn *turn;
    struct actions *actions;
    struct inbound *inbound;
    struct mqtt_client *mqtt;
    struct broker *broker;
    struct http *http;
    struct control *control;
    char public_url[300];
    char host_names[8][300]; /* ours, for the Host check */
    const char *host_list[9];
    int http_port, mqtt_port;
    int folder_fd; /* the folder's lock */
    int64_t started_at;
    uint64_t *route_uses; /* one per row of route_table */
    int exit_status;
    struct server_private *private; /* timers and signals: server.c only */
};

/* Builds, runs and stops; returns the process's exit status. */
int server_run(const struct config *config);
/* Begins an orderly stop. */
void server_stop(struct server *server, int exit_status);

/* What is wrong at the moment, for /readyz, the page and the log: writes one line each into `out`,
 * returns how many. 0: ready. Warnings (anonymous senders) are listed but do not count. */
int server_problems(struct server *server, struct buf *out);

#endif
