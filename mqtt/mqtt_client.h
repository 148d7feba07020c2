/* SPDX-License-Identifier: MIT
 *
 * libmosquitto (MQTT 5) on a libuv loop, and nothing else: connecting, reconnecting with jitter,
 * reading in bursts when the turn allows it, writing when the turn allows it, subscriptions and
 * their acknowledgements. It refuses to know what a message means. Each connection is a new client
 * object with a clean start: nothing in flight survives a link. PITFALLS 13-20. Loop thread.
 */
#ifndef MQTT_MQTT_CLIENT_H
#define MQTT_MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct uv_loop_s;
struct mqtt_client;

struct mqtt_message {
    const char *topic;
    const void *payload; /* not NUL-terminated; may be NULL when len is 0 */
    size_t len;
    int qos;
    bool retain;
    bool late; /* it may have lain unread for seconds, while the turn let nothing be read */
};

struct mqtt_options {
    struct uv_loop_s *loop;
    char host[256];
    int port;
    bool tls;
    char username[256], password[256]; /* "" : none */
    char ca_file[512];
    char client_id[128]; /* "": random */

    void *owner;
    /* May be asked at any time: does the turn allow reading, and writing. */
    bool (*may_read)(void *owner);
    bool (*may_write)(void *owner);
    /* A burst of input begins (before the first message of it) and ended. */
    void (*input_begin)(void *owner);
    void (*input_end)(void *owner);
    void (*on_message)(void *owner, const struct mqtt_message *message);
    /* Subscribed to all that mqtt_client_subscribe() was asked for before: ready. */
    void (*on_up)(void *owner);
    /* Only after on_up, and never from inside a call of these functions. */
    void (*on_down)(void *owner, const char *why);
    /* QoS 2: PUBREC seen (always before the next); complete (PUBCOMP); refused by the broker. QoS
     * 1: PUBACK is both at once. `tag` as given to publish. Not called for what a lost link took
     * along. */
    void (*on_taken)(void *owner, const char *tag);
    void (*on_handed_over)(void *owner, const char *tag);
    void (*on_rejected)(void *owner, const char *tag);
    /* Any callback of the loop that reached this adapter begins and ends: the server looks at the
     * clock, ends the turn. */
    bool (*wake)(void *owner); /* false: the process stood still; the link was or will be dropped:
                                  do nothing */
    void (*settle)(void *owner);
};

enum err mqtt_client_new(const struct mqtt_options *options, struct mqtt_client **out,
                         struct cause *cause);
/* Starts connecting (the broker may not be there yet: it tries again with jitter, 0.2 s growing to
 * 10 s). */
void mqtt_client_start(struct mqtt_client *client);
/* Where to connect from now on (the embedded broker's port may only be known later); ends a pause
 * between two tries. */
void mqtt_client_set_port(struct mqtt_client *client, int port);
bool mqtt_client_is_up(const struct mqtt_client *client);
/* The wanted subscriptions, QoS 1, no-local, retain-as-published. Kept over reconnects. `needed`:
 * on_up waits for its SUBACK; others are subscribed in the background in pieces. ERR_NO_MEMORY.
 * Asking twice is fine. */
enum err mqtt_client_subscribe(struct mqtt_client *client, const char *topic, bool needed);
void mqtt_client_unsubscribe(struct mqtt_client *client, const char *topic);
/* As subscribe with `needed`, and asked for last; a broker that refuses it is no link: it is closed
 * and tried again. */
enum err mqtt_client_require(struct mqtt_client *client, const char *topic);
/* Between begin and end every wanted topic is named again by subscribe or require; end unsubscribes
 * those that were not: needed ones, and the background ones too if `all`. */
void mqtt_client_topics_begin(struct mqtt_client *client);
void mqtt_client_topics_end(struct mqtt_client *client, bool all);
/* Who names the topics: `fn` is called soon after each mqtt_client_topics_stale(), but takes no
 * more than a twentieth of the loop's time; at once while there is no link. It is called with NULL
 * for the client when that is being closed. NULL: nobody. */
typedef void mqtt_topics_fn(void *arg, struct mqtt_client *client);
void mqtt_client_on_topics(struct mqtt_client *client, mqtt_topics_fn *fn, void *arg);
void mqtt_client_topics_stale(struct mqtt_client *client);
/* Never waits and never queues for a later link: ERR_NO_LINK when down. `tag` (may be NULL) is
 * copied, at most 40 bytes. ERR_LIMIT when too much is in flight, ERR_TOO_LARGE when the broker
 * takes no such packet, ERR_BAD_INPUT for a topic that can't be published to. `expiry_s` 0: none;
 * else message expiry interval (MQTT 5, 3.3.2.3.3) and user property "expires" with unix ms. */
enum err mqtt_client_publish(struct mqtt_client *client, const char *topic, const void *payload,
                             size_t len, int qos, bool retain, uint32_t expiry_s, const char *tag);
/* Empties the broker's retained message of a topic; also before on_up. ERR_NO_LINK. */
enum err mqtt_client_clear_retained(struct mqtt_client *client, const char *topic);
/* False once the library's log proved to be silent about PUBREC: on_taken then comes with
 * on_handed_over. */
bool mqtt_client_sees_pubrec(const struct mqtt_client *client);
/* The turn's state may have changed (after each commit): read and write what is allowed now. */
void mqtt_client_pump(struct mqtt_client *client);
/* Closes the socket at once, unread and unwritten, and connects anew after a pause. */
void mqtt_client_drop(struct mqtt_client *client, const char *why);
/* Disconnects cleanly (writes what is queued if the turn allows), closes all handles; `done` when
 * they are closed and the client is freed. */
void mqtt_client_close(struct mqtt_client *client, void (*done)(void *owner), void *owner);

#endif
