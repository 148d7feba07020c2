/* SPDX-License-Identifier: MIT
 *
 * What the tests of the MQTT room share: a loop with a client whose turn the test decides, what was
 * logged, free ports and a folder.
 */
#ifndef TESTS_MQTT_FIXTURE_H
#define TESTS_MQTT_FIXTURE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "mqtt/mqtt_client.h"

struct fixture {
    uv_loop_t loop;
    struct mqtt_client *client;
    struct mqtt_options options;
    bool may_read, may_write, awake;
    bool drop_on_message;
    int ups, downs, messages, begins, ends, wakes, settles;
    char events[4096]; /* one word an event: "up down taken:a over:a rejected:a" */
    char topic[256], payload[256];
    bool retain, late;
    char why[256];
    bool open, closed;
};

void mqf_open(struct fixture *f, int port);
void mqf_start(struct fixture *f); /* makes the client from f->options and starts it */
void mqf_close(struct fixture *f); /* if open; and asserts that no handle is left */
/* Runs the loop until the condition holds; false after `ms`. */
typedef bool condition_fn(void *arg);
bool mqf_until(struct fixture *f, condition_fn *condition, void *arg, int ms);
bool mqf_until_up(struct fixture *f, int ups);
bool mqf_until_count(struct fixture *f, const int *count, int least);
bool mqf_until_event(struct fixture *f, const char *word);
/* Lets everything that is ready happen: `rounds` turns of the loop, a millisecond each. */
void mqf_spin(struct fixture *f, int rounds);

/* From now on what is logged is kept, and what was before is not; with SHOW_LOG in the environment
 * it is shown too. */
void mqf_log_keep(void);
bool mqf_logged(const char *text);
bool mqf_until_logged(struct fixture *f, const char *text, int ms);

struct sockaddr_in mqf_loopback(int port);
/* A socket that listens on the port (0: a free one), and which one that is. */
int mqf_listen(int port, int *found);
int mqf_free_port(void);
/* A folder of its own below the system's temporary one, removed at the end of the process. */
const char *mqf_dir(void);

/* For a process that is killed: the folder of the one that started it, which removes it. */
void mqf_dir_borrow(const char *path);

#endif
