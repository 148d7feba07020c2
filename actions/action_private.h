/* SPDX-License-Identifier: MIT
 *
 * What the files of this room share about `struct actions`: its memory, the way to do something
 * after the commit, and the one answer that each asker gets. Included only inside actions/.
 */
#ifndef ACTIONS_ACTION_PRIVATE_H
#define ACTIONS_ACTION_PRIVATE_H

/* Out of memory must not end the process: HASH_ADD then leaves `hh.tbl` NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "actions/action.h"

struct action_row {
    const struct action *action;
    uint64_t uses;
    UT_hash_handle hh; /* by action->word */
};

struct flight;
struct alert_wait;

struct actions {
    struct turn *turn;
    struct actions_options options;
    char server_topic[NAME_SIZE]; /* options.server_topic points here */
    size_t users;                 /* the owner and everything that waits for a commit */
    bool stopped;                 /* actions_free() was called */
    uint64_t counters[COUNTERS];

    struct action_row **rows; /* in the order of the table and then of registration */
    size_t row_count, row_cap;
    struct action_row *by_word;

    struct flight *flights; /* command_flight.c */
    uint64_t attempts;      /* sendings begun */
    bool stalled;
    unsigned stalls;     /* how often the process stood still */
    bool recover_again;  /* commands_recover() came while changes were refused */
    bool resend_again;   /* commands_link_up() came while changes were refused */
    int64_t flight_due;  /* boot ms; no handover deadline is earlier */
    int64_t command_due; /* boot ms; no command ends by time earlier, unless the wall clock jumps */
    int64_t walked_at;   /* boot ms of the last look at all commands */

    struct alert_wait *alert_waits; /* alert_send.c */
    int64_t alert_due;              /* boot ms; no unsent alert is due earlier */
    int64_t alerts_walked_at;       /* boot ms of the last look at all alerts */
    bool topics_pending;            /* ports.topics_changed will be called after a commit */
};

int64_t actions_wall(const struct actions *actions);
int64_t actions_boot(const struct actions *actions);
bool actions_link_up(const struct actions *actions);
struct registry *actions_registry(struct actions *actions);

/* Runs `fn` after all that was noted so far is on disk (turn_out), or with the reason why it isn't:
 * then nothing may leave. Always called exactly once, with ERR_STOPPING when `actions` is being
 * freed. */
typedef void actions_later_fn(struct actions *actions, void *arg, enum err kept);
void actions_later(struct actions *actions, actions_later_fn *fn, void *arg);
/* Publishes after the commit; nothing when it fails. */
void actions_publish_later(struct actions *actions, const char *topic, const char *payload,
                           int qos);
/* ports.topics_changed after the commit, once for all changes of a batch. */
void actions_topics_changed(struct actions *actions);

/* One asker who waits, maybe for several commands. The first error is the answer. */
struct ask;
/* NULL when nobody waits or, with *failed set, when out of memory. It has one open part. */
struct ask *ask_new(const struct action_request *request, bool *failed);
void ask_part(struct ask *ask); /* one more open part; NULL is fine */
/* Closes one part; the last one answers after the commit. NULL is fine. */
void ask_settle(struct actions *actions, struct ask *ask, enum err result);
/* Answers a request as a whole. */
void request_finish(struct actions *actions, const struct action_request *request, enum err result);

/* The answer rule (CONTRACT 1.1): publishes context->reply after the commit, or counts. */
void action_reply(struct action_context *context);

/* text_copy of a NUL-terminated text; NULL copies "". */
void text_set(char *out, size_t size, const char *text);

#endif
