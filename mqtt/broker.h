/* SPDX-License-Identifier: MIT
 *
 * The embedded broker: writes a configuration for mosquitto, runs it as a child, watches it, starts
 * it again with growing pauses, ends it with the server. It says clearly when the program is
 * missing or the port is taken. PITFALLS 21-27. Loop thread.
 */
#ifndef MQTT_BROKER_H
#define MQTT_BROKER_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/err.h"

struct uv_loop_s;
struct broker;

struct broker_options {
    struct uv_loop_s *loop;
    const char
        *self; /* path of our own program (/proc/self/exe), started in the broker-child mode */
    const char *data_dir; /* its files go to DATA_DIR/broker/ */
    const char *listen;
    int port;     /* 0: a free one */
    int tls_port; /* 0: none */
    const char *tls_cert, *tls_key;
    void *owner;
    void (*on_started)(void *owner, int port);      /* spawned and accepting */
    void (*on_ended)(void *owner, const char *why); /* and will be started again */
};

/* Finds the program (GATEHOUSE_MOSQUITTO, else PATH and /usr/sbin), checks that the port is free,
 * writes the configuration. ERR_NOT_FOUND, ERR_CONFLICT (port taken), ERR_IO with a cause that
 * names the cure. */
enum err broker_new(const struct broker_options *options, struct broker **out, struct cause *cause);
enum err broker_start(struct broker *broker, struct cause *cause);
int broker_port(const struct broker *broker);
int broker_pid(const struct broker *broker); /* 0: not running at the moment */
/* SIGTERM, after 2 s SIGKILL; `done` when the child is reaped and all handles are closed; frees. */
void broker_close(struct broker *broker, void (*done)(void *owner), void *owner);

/* The broker-child mode (the first argument of our own program is "broker-child"): dies with its
 * parent, gives up root, becomes mosquitto. Only returns on failure, with an exit status.
 * PITFALLS 27. */
int broker_child_main(int argc, char **argv);

/* Pure: the configuration's text (free()), for tests. NULL when out of memory. */
char *broker_config_text(const struct broker_options *options, int port);

#endif
