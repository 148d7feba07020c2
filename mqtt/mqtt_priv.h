/* SPDX-License-Identifier: MIT
 *
 * What the files of the MQTT client share: the client, the one link it has at a time, the wanted
 * subscriptions and the tags of publishes in flight. Only mqtt_*.c include this.
 *
 * The library must not be destroyed, and mosquitto_loop_write() must not run, while one of its
 * callbacks is on the stack (it holds its callback mutex there): `depth` counts the calls into it,
 * and what has to end waits for depth 0.
 */
#ifndef MQTT_MQTT_PRIV_H
#define MQTT_MQTT_PRIV_H

#include <sys/queue.h>

#include <mosquitto.h>
#include <openssl/ssl.h>
#include <uthash.h>
#include <uv.h>

#include "mqtt/mqtt_client.h"
#include "server/base/clock.h"

#define MQTT_ADDRESSES      8
#define MQTT_CONNECT_MS     5000
#define MQTT_KEEPALIVE_S    10
#define MQTT_PAUSE_MIN_MS   200
#define MQTT_PAUSE_MAX_MS   10000
#define MQTT_GOOD_LINK_MS   1000
#define MQTT_CLOSE_MS       500
#define MQTT_BURST          512
#define MQTT_PIECE          200
#define MQTT_MAX_IN_FLIGHT  20000
#define MQTT_MAX_PACKET     (256 * 1024)
#define MQTT_TAG_SIZE       41
#define MQTT_WHY_SIZE       256
#define MQTT_LATE_MS        2000 /* CONTRACT 2.3: what waited longer for us to read is late */
#define MQTT_REFRESH_FACTOR 20   /* the walk over all topics takes at most 1/20 of the time */

enum sub_state {
    SUB_IDLE,    /* not on this link, or the broker refused it */
    SUB_WAITING, /* in one of the two queues */
    SUB_ASKED,   /* in a SUBSCRIBE whose SUBACK is not in yet */
    SUB_DONE
};

struct mqtt_sub {
    UT_hash_handle hh;
    TAILQ_ENTRY(mqtt_sub) entry; /* while SUB_WAITING */
    enum sub_state state;
    unsigned generation; /* of the last begin/end round that named it */
    bool needed;
    bool required; /* no link is up without it */
    bool unwanted; /* unsubscribed while SUB_ASKED: ends when the SUBACK is in */
    char topic[];
};
TAILQ_HEAD(mqtt_sub_queue, mqtt_sub);

/* One SUBSCRIBE packet on its way. */
struct mqtt_piece {
    struct mqtt_piece *next;
    int mid;
    bool needed;
    size_t count;
    struct mqtt_sub *subs[];
};

struct mqtt_tag {
    UT_hash_handle hh;
    int mid;
    TAILQ_ENTRY(mqtt_tag) entry; /* while recorded */
    bool recorded; /* PUBREC was seen in the library's log; its reason code is not known yet */
    bool taken;    /* the owner was told */
    bool qos2;
    char text[MQTT_TAG_SIZE];
};
TAILQ_HEAD(mqtt_tag_list, mqtt_tag);

/* One connection. Lives until its uv_poll is closed. */
struct mqtt_link {
    uv_poll_t poll;
    struct mqtt_client *client;
    struct mosquitto *mosq;
    int fd; /* the library's; it may close it at any of our calls */
    bool polled;
    int armed;         /* events the poll is started for */
    bool connected;    /* TCP */
    bool accepted;     /* CONNACK */
    bool up;           /* and subscribed; on_up was called */
    bool dead;         /* nothing more may happen on it; buried as soon as the library returns */
    bool hard;         /* unread and unwritten: reset the connection */
    int64_t up_at;     /* uv_now of on_up */
    int64_t barred_at; /* boot clock: since when the turn lets nothing be read; 0: it does */
    bool late;         /* what lies in the socket may be from a long bar; until it is empty */
    bool log_on;       /* the library's log callback is set */
    int in_flight;     /* publishes that on_publish is still to come for */
    int needed_open;   /* needed pieces on their way */
    bool background_open;
    struct mqtt_piece *pieces;
    char why[MQTT_WHY_SIZE];
    char library_said[MQTT_WHY_SIZE]; /* its last error line */
};

struct mqtt_client {
    struct mqtt_options o;
    struct clock clock;
    int port;
    char id[128];
    SSL_CTX *tls;
    int tls_refused; /* X509_V_ERR_...: why the last certificate was refused */
    bool started, closing;
    bool blind; /* a PUBCOMP came without its PUBREC in the log */
    int depth;
    bool input_open;
    bool input_fresh; /* the owner was told something and no turn has ended since */

    struct mqtt_link *link;
    bool down_pending;
    char down_why[MQTT_WHY_SIZE];
    char last_why[MQTT_WHY_SIZE]; /* said in the log last */

    uv_timer_t retry, deadline, misc, refresh;
    uv_prepare_t kick; /* runs before the loop waits: flushes, tells of an end */
    int handles;       /* that still have to be closed, and a look-up */
    unsigned pause_ms;

    uv_getaddrinfo_t lookup;
    bool looking;
    struct sockaddr_storage addresses[MQTT_ADDRESSES];
    int address_count, address_next;

    struct mqtt_sub *subs;
    struct mqtt_sub_queue needed_queue, background_queue;
    unsigned generation;
    size_t needed_total, needed_named;
    mqtt_topics_fn *topics_fn;
    void *topics_arg;
    uint64_t refresh_ns, refreshed_at; /* the last walk: how long, when (uv_hrtime) */

    struct mqtt_tag *tags;
    struct mqtt_tag_list recorded;

    void (*closed)(void *owner);
    void *closed_owner;
};

/* mqtt_client.c */
bool mqtt_enter(struct mqtt_client *client); /* false: the process stood still */
void mqtt_leave(struct mqtt_client *client);
void mqtt_kick(struct mqtt_client *client);
void mqtt_handle_closed(struct mqtt_client *client);
void mqtt_link_is_gone(struct mqtt_client *client, struct mqtt_link *link);
void mqtt_input(struct mqtt_client *client); /* the burst tells its owner something */

/* mqtt_link.c */
enum err mqtt_link_open(struct mqtt_client *client, const char *address, char *why, size_t size);
/* Ends it: at once when the library isn't on the stack. The first reason counts. */
void mqtt_link_end(struct mqtt_link *link, bool hard, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mqtt_link_read(struct mqtt_link *link); /* a burst, as far as the turn allows */
void mqtt_link_write(struct mqtt_link *link);
void mqtt_link_misc(struct mqtt_link *link);
void mqtt_link_arm(struct mqtt_link *link);
void mqtt_link_log(struct mqtt_link *link, bool on);

/* mqtt_subscriptions.c */
void mqtt_subs_send(struct mqtt_link *link);
void mqtt_subs_acked(struct mqtt_link *link, int mid, int count, const int *codes);
void mqtt_subs_link_gone(struct mqtt_link *link);
void mqtt_subs_free(struct mqtt_client *client);

/* mqtt_publish.c */
void mqtt_tags_log_line(struct mqtt_link *link, const char *line);
void mqtt_tags_published(struct mqtt_link *link, int mid, int reason);
void mqtt_tags_settle(struct mqtt_link *link); /* tells of the PUBRECs that were not refused */
void mqtt_tags_clear(struct mqtt_client *client);

/* mqtt_tls.c */
enum err mqtt_tls_new(struct mqtt_client *client, struct cause *cause);

#endif
