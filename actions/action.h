/* SPDX-License-Identifier: MIT
 *
 * Everything is an action. An MQTT payload, a REST call and a button on the page all become one
 * `struct action_request` and pass through action_dispatch(): look up the row, check who may, check
 * the arguments, count, run. The row is the contract. Loop thread only; knows no transport: what
 * leaves, leaves through `struct ports`.
 */
#ifndef ACTIONS_ACTION_H
#define ACTIONS_ACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actions/words.h"
#include "server/base/clock.h"
#include "server/base/err.h"
#include "state/turn.h"

/* CONTRACT 2.3. NONE: not a command to a device. */
enum action_class { CLASS_NONE, CLASS_UNSAFE, CLASS_SAFE, CLASS_CONFIG, CLASS_JOB, CLASS_QUERY };

/* What an anonymous MQTT sender must at least be allowed (mqtt.anonymous) to use a row. */
enum action_need { NEED_HAND_SHAKE, NEED_ALL };

/* Who asks. Texts are copied by whoever keeps them. */
struct caller {
    char name[NAME_SIZE]; /* principal: token's name, device or app id, "anonymous" */
    enum role role;       /* ROLE_ADMIN for the owner's command line */
    bool anonymous;       /* an MQTT sender without a stamp */
    char way[16];         /* "http", "mqtt", "page", "cli" */
    char source[64];      /* address or topic it came by */
    bool late; /* what it asks lay unread for so long that nothing unsafe may come of it */
};

/* The end of a request, exactly once, maybe during the dispatch, maybe much later; only after what
 * it tells is on disk. For a command to several devices: ERR_OK when all were handed over. */
typedef void action_done_fn(void *arg, enum err result);

struct action_request {
    struct caller caller;
    const struct words
        *words;           /* words->word[0] is the action's word; only valid during the dispatch */
    bool with_answer;     /* the asker waits (HTTP); false: nobody listens (MQTT) */
    action_done_fn *done; /* NULL when !with_answer */
    void *done_arg;
};

struct actions;
struct action;

/* What an action's exec gets. */
struct action_context {
    struct actions *actions;
    struct turn *turn;
    const struct action *action;
    const struct action_request *request;
    char *reply; /* the action's returned text (CONTRACT 1.1, "may return a text"): heap, taken
                    over; NULL */
    const char *concerned; /* device id the reply concerns; NULL; must live until exec returns */
    bool takes_over_done;  /* exec set this: it calls request->done itself, later */
};

/* Returns what the asker is told unless it took `done` over. Everything it changes goes through the
 * turn. */
typedef enum err action_exec_fn(struct action_context *context);

struct action {
    const char *word;    /* [a-z][a-z0-9_]* */
    const char *grammar; /* arguments for people: "[DEVICE_ID [APP_ID [TIME...]]]" */
    const char *help;    /* one line */
    enum action_class command_class;
    enum role role;        /* who may, at least */
    enum action_need need; /* what an anonymous sender must be allowed */
    size_t min_args, max_args;
    action_exec_fn *exec;
    void *arg;           /* for rows added at run time */
    bool from_app_topic; /* also counts when it comes on an app's topic: answers of old boards */
};

/* What leaves the server, in the shapes the actions need; filled by the server, by fakes in tests.
 */
struct ports {
    void *owner;
    /* Whether the broker is there and subscribed. */
    bool (*link_up)(void *owner);
    /* Publishes, never retained. `expiry_s` 0: none. For QoS 2 `tag` (command id) comes back in
     * commands_handed_over(). ERR_NO_LINK when the link is down; nothing is ever queued for a later
     * link. */
    enum err (*publish)(void *owner, const char *topic, const char *payload, int qos,
                        uint32_t expiry_s, const char *tag);
    /* Ends the link because the broker did not take a command in time; it is made anew later. */
    void (*drop_link)(void *owner, const char *why);
    /* An app topic came (or may be gone): listen to what the registry names. */
    void (*topics_changed)(void *owner);
    /* The address phones reach the server by, "http://host:port", no slash at the end. */
    const char *(*public_url)(void *owner);
};

enum anonymous_may { ANONYMOUS_NOTHING, ANONYMOUS_HAND_SHAKE, ANONYMOUS_ALL };
enum pairing { PAIRING_OPEN, PAIRING_WINDOW, PAIRING_CLOSED };

struct actions_options {
    enum anonymous_may anonymous;
    enum pairing pairing;
    int64_t picture_wait_ms;
    const char *server_topic;
    const struct clock *clock;
    struct ports ports;
};

/* One list: name in documents and in the status page, help. */
#define COUNTER_LIST(X)                                                                            \
    X(MESSAGES, "messages", "MQTT messages and HTTP calls that reached the table")                 \
    X(UNKNOWN_WORD, "unknown_word", "first words that are no action")                              \
    X(BAD_PAYLOAD, "bad_payload", "payloads that are empty, too long or no text")                  \
    X(BAD_ARGUMENTS, "bad_arguments", "arguments that do not fit the action")                      \
    X(NOT_ALLOWED, "not_allowed", "requests by somebody who may not")                              \
    X(UNKNOWN_DEVICE, "unknown_device", "commands for a device that is not known")                 \
    X(UNKNOWN_TOPIC, "unknown_topic", "alert topics that are not known")                           \
    X(REPLY_WITHHELD, "reply_withheld", "texts of actions that may not be sent where they ask")    \
    X(HAND_SHAKE_REFUSED, "hand_shake_refused", "hand-shakes that were refused")                   \
    X(COMMANDS, "commands", "commands made")                                                       \
    X(COMMANDS_JOINED, "commands_joined", "requests that joined a command")                        \
    X(COMMANDS_DONE, "commands_done", "commands whose device said yes")                            \
    X(COMMANDS_FAILED, "commands_failed", "commands whose device said no")                         \
    X(COMMANDS_REFUSED, "commands_refused", "commands refused at once")                            \
    X(COMMANDS_EXPIRED, "commands_expired", "commands never handed over")                          \
    X(COMMANDS_UNKNOWN, "commands_unknown", "commands handed over and not answered")               \
    X(ANSWERS_UNMATCHED, "answers_unmatched", "answers of devices to no open command")             \
    X(ANSWERS_DOUBLED, "answers_doubled", "second answers to one command")                         \
    X(ALERTS, "alerts", "strangers reported")                                                      \
    X(ALERTS_JOINED, "alerts_joined", "reports that belong to an alert within 10 s")               \
    X(RETAINED, "retained", "retained messages on command topics, ignored and cleared")            \
    X(NOT_KEPT, "not_kept", "requests refused because changes could not be stored")

enum counter {
#define COUNTER_ENUM(name, text, help) COUNTER_##name,
    COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
        COUNTERS
};
void action_count(struct actions *actions, enum counter counter);
uint64_t action_counter(const struct actions *actions, enum counter counter);
const char *action_counter_name(enum counter counter);
const char *action_counter_help(enum counter counter);

/* The table as built (action_table.c), NULL-ended. */
extern const struct action *const action_table[];

/* NULL when out of memory. Askers that still wait at the end are told ERR_STOPPING; the turn may be
 * freed before or after. */
struct actions *actions_new(struct turn *turn, const struct actions_options *options);
void actions_free(struct actions *actions); /* NULL is fine */
/* Adds a row at run time. ERR_BAD_INPUT: the word isn't [a-z][a-z0-9_]* or there is no exec;
 * ERR_CONFLICT: it is there already. The row must outlive `actions`. */
enum err action_register(struct actions *actions, const struct action *row);
/* The row of that exact word, NULL: none. */
const struct action *action_find(const struct actions *actions, const char *word);
/* All rows, in the order of the table and then of registration. */
const struct action *action_at(const struct actions *actions,
                               size_t index); /* NULL behind the last */
uint64_t action_uses(const struct actions *actions, const char *word);

/* Runs one request. */
void action_dispatch(struct actions *actions, const struct action_request *request);
/* An MQTT payload on the server's topic: splits, looks up, dispatches; the default action for any
 * other first word. */
void action_payload(struct actions *actions, const struct caller *caller, const void *payload,
                    size_t len);
/* What came on an app's topic: only `lock_response` and `unlock_response` count there, all else is
 * ignored. */
void action_app_payload(struct actions *actions, const struct caller *caller, const void *payload,
                        size_t len);

struct turn *actions_turn(struct actions *actions);
const struct actions_options *actions_get_options(const struct actions *actions);
const char *action_class_name(enum action_class command_class);

#endif
