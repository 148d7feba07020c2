/* SPDX-License-Identifier: MIT
 *
 * One MQTT 3.1.1 connection on the run's loop, with at most one subscription: what each of the old
 * boards and phones has. It connects again after a pause, always as a new client with a clean
 * start. Many of them share one loop and one thread.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/simulator/sim.h"

struct mosquitto;
struct link_socket;

struct sim_link {
    struct sim *sim;
    const char *topic; /* subscribed to at QoS 1; NULL: none. Must outlive the link */
    void *owner;
    /* Connected and subscribed. */
    void (*on_up)(void *owner);
    /* `payload` is NUL-terminated behind `len`; `retained` is the flag it came with. */
    void (*on_message)(void *owner, const char *topic, const char *payload, size_t len,
                       bool retained);
    void (*on_down)(void *owner, const char *why);
    /* The broker acknowledged a publish of QoS 1; may be NULL. */
    void (*on_acknowledged)(void *owner);
    char client_id[NAME_SIZE + 32];

    /* Private. */
    struct mosquitto *client;
    struct link_socket *socket;
    uv_timer_t timer; /* one second: keepalive, and the next try to connect */
    bool up, lost;
    char why[96];
};

/* Starts connecting; the public members are set. */
void sim_link_open(struct sim_link *link);
/* Publishes a text at QoS 1, not retained; false when the link is down: nothing waits for a later
 * one. */
bool sim_link_publish(struct sim_link *link, const char *topic, const char *text);
/* Disconnects and closes the handles; not inside one of the link's own callbacks. */
void sim_link_close(struct sim_link *link);

#endif
