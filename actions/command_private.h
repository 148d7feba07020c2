/* SPDX-License-Identifier: MIT
 *
 * What the command files share. A command is a record (registry, store); what only matters while
 * the process runs - who waits, whether the broker took it, by when it must - is its flight.
 */
#ifndef ACTIONS_COMMAND_PRIVATE_H
#define ACTIONS_COMMAND_PRIVATE_H

#include "actions/action_private.h"
#include "actions/command.h"

#define COMMAND_REMEMBER_MS  60000 /* an ended command is known this long */
#define COMMAND_DEVICE_OPEN  32    /* open commands of one device at most */
#define COMMAND_DEVICE_KNOWN 64    /* with the ended ones; older ones are forgotten early */
#define COMMAND_ASKERS       256   /* who may wait for one command */
#define COMMAND_COMPLETE_MS  10000 /* from PUBREC to PUBCOMP at most */
#define COMMAND_WALK_MS      1000  /* the wall clock may jump: look at all commands this often */

/* command_flight.c */
struct flight {
    char id[SECRET_ID_SIZE]; /* the command's */
    uint64_t attempt;        /* which sending: what waits for an older one's commit is void */
    unsigned stalls;         /* actions->stalls when it was noted as sent */
    bool published;
    bool taken;       /* PUBREC seen: it is handed over, the broker may deliver it */
    int64_t deadline; /* boot ms; PUBREC must be there, then PUBCOMP; INT64_MAX: not published */
    struct ask **asks;
    size_t ask_count, ask_cap;
    UT_hash_handle hh; /* by id */
};
struct flight *flight_find(const struct actions *actions, const char *id);
struct flight *flight_get(struct actions *actions, const char *id); /* made when missing; or NULL */
/* ERR_LIMIT, ERR_NO_MEMORY: `ask` was not taken. NULL waits for nothing and is fine. */
enum err flight_wait(struct flight *flight, struct ask *ask);
/* Tells all who wait. */
void flight_answer(struct actions *actions, struct flight *flight, enum err result);
/* The same, and frees it. NULL is fine. */
void flight_end(struct actions *actions, struct flight *flight, enum err result);

/* Ids of commands or alerts, collected in a walk that must not change the registry. */
struct id_list {
    char (*ids)[SECRET_ID_SIZE];
    size_t count, cap;
};
void id_list_add(struct id_list *list, const char *id); /* when out of memory: left out */
void id_list_free(struct id_list *list);

/* command_life.c */
/* The rule of a stored command; an unknown class gets the strictest. */
const struct class_rule *command_rule(const struct command *command);
/* Whether its time is over by the boot clock (in the same boot) or by the wall clock. */
bool command_is_over(const struct actions *actions, const struct command *command);
/* Milliseconds it may still take, by the clock that says less. */
int64_t command_remaining(const struct actions *actions, const struct command *command);
int64_t command_age(const struct actions *actions, const struct command *command);
/* The word that undoes this one, NULL: none. */
const char *command_opposite(const char *word);
/* Whether an opposite command for its device was made after it. */
bool command_is_superseded(struct actions *actions, const struct command *command);
/* turn_put, and the tick will look at it in time. */
enum err command_put(struct actions *actions, const struct command *command);
/* The same with turn_put_late. */
enum err command_put_late(struct actions *actions, const struct command *command);
/* Ends it: record, row, counter; who waits is told `told`. `by`: the device's answer; NULL. */
enum err command_end(struct actions *actions, const char *id, enum command_state state,
                     const char *reason, enum err told, const struct caller *by);
/* Ends it because its time is over. */
void command_end_by_time(struct actions *actions, const char *id);
void commands_free(struct actions *actions);

/* command_send.c */
/* Publishes it after the commit; it is noted as sent already. */
void command_send(struct actions *actions, struct flight *flight);
/* It did not get through: a kept class goes back to queued, any other ends. */
void command_lost(struct actions *actions, const char *id, enum err told, const char *reason);
/* All kept ones that can go. */
void commands_send_kept(struct actions *actions);

/* command_log.c: one row of the log of the door. */
struct door_note {
    const struct caller *caller; /* NULL: the server itself */
    const char *word, *device_id, *command_id;
    bool allowed;
    const char *outcome, *reason;
};
enum err door_note(struct actions *actions, const struct door_note *note);
/* Somebody who may not asked for a command. */
void command_note_forbidden(struct actions *actions, const struct action *action,
                            const struct action_request *request);

/* alert.c */
void alerts_free(struct actions *actions);

#endif
