/* SPDX-License-Identifier: MIT
 *
 * Shared by the broker's files: broker.c (the child's life), broker_config.c (what it is told),
 * broker_child.c (how our own program becomes it).
 */
#ifndef MQTT_BROKER_PRIV_H
#define MQTT_BROKER_PRIV_H

#include <stdbool.h>

#include <uv.h>

#include "mqtt/broker.h"

#define BROKER_PATH_SIZE 1024
#define BROKER_LINE_SIZE 512

enum broker_state {
    BROKER_IDLE,
    BROKER_STARTING, /* spawned, not yet accepting */
    BROKER_RUNNING,
    BROKER_PAUSING, /* ended; started again when the timer says */
    BROKER_STOPPING /* broker_close() was called */
};

struct broker {
    struct broker_options options;
    enum broker_state state;
    char program[BROKER_PATH_SIZE];
    char config_path[BROKER_PATH_SIZE];
    int port;

    uv_process_t process;
    uv_pipe_t errors; /* its standard error, line by line into our log */
    uv_timer_t timer; /* asks whether it accepts; or the pause; or the patience at the end */
    bool process_open, errors_open, timer_open;
    bool alive;
    uint64_t spawned_at; /* loop time */
    unsigned pause_ms;   /* the next one */

    char line[BROKER_LINE_SIZE]; /* what came of a line so far */
    size_t line_len;
    char last_words[BROKER_LINE_SIZE]; /* its last line: usually why it ended */

    void (*closed)(void *owner);
    void *closed_owner;
};

/* broker_config.c */
enum err broker_find_program(char out[static BROKER_PATH_SIZE], struct cause *cause);
/* Whether LISTEN:PORT can be bound now; port 0 becomes a free one. ERR_CONFLICT with the cure. */
enum err broker_check_port(const char *listen, int *port, const char *key, struct cause *cause);
/* The sentence for a taken port, with its cures. */
void broker_say_taken(const char *listen, int port, const char *key, char *out, size_t size);
enum err broker_write_config(struct broker *broker, struct cause *cause);
/* Whether something accepts on LISTEN:PORT at this moment; never waits. */
bool broker_accepts(const char *listen, int port);

#endif
