/* SPDX-License-Identifier: MIT
 *
 * The room's test bench: a real turn and a real registry, a keeper whose commits the test answers,
 * ports that write down what left, and two clocks that the test turns.
 */
#ifndef TESTS_UNIT_ACTIONS_RIG_H
#define TESTS_UNIT_ACTIONS_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "actions/action.h"
#include "actions/alert.h"
#include "actions/command.h"

#define RIG_WALL 1600000000000 /* 2020-09-13 12:26:40 UTC */
#define RIG_BOOT 5000000

struct rig_sent {
    char topic[NAME_SIZE];
    char payload[2048];
    int qos;
    uint32_t expiry_s;
    char tag[SECRET_ID_SIZE];
};

struct rig {
    int64_t wall, boot;
    struct clock clock;
    struct turn *turn;
    struct actions *actions;
    struct actions_options options;

    struct batch *disk;    /* all that was committed, in order */
    struct batch *keeping; /* with the keeper */
    bool reloading;
    bool by_hand;  /* the test answers commits; else rig_settle() does */
    enum err fail; /* what the next commits answer */

    bool link;
    enum err publish_error;
    struct rig_sent sent[128];
    size_t sent_count;
    int drops, topic_changes;

    struct rig_asker {
        struct rig *rig;
        enum err *answer;
    } askers[512];
    size_t asker_count;
    bool ended; /* the test is over: who still waited for an answer is gone */
};

int rig_setup(void **state);
int rig_setup_board(void **state); /* with rig_board("device", "todevice") */
int rig_teardown(void **state);
/* Frees actions and turn and starts them again from what is on disk, as after a kill. */
void rig_restart(struct rig *rig);

/* Ends the turn and, unless by_hand, answers the keeper until nothing is left. */
void rig_settle(struct rig *rig);
/* Answers one commit or reload. */
void rig_answer(struct rig *rig);
/* Answers the one that waits by hand, and all that follow by itself. */
void rig_answer_all(struct rig *rig);
/* Both clocks go on, then a tick and its end. */
void rig_advance(struct rig *rig, int64_t ms);

/* An anonymous MQTT payload on the server's topic, and the end of its turn. */
void rig_mqtt(struct rig *rig, const char *payload);
/* The same on an app's topic. */
void rig_app_topic(struct rig *rig, const char *payload);
/* A request that waits. `answer` becomes RIG_WAITING until the answer is there. */
#define RIG_WAITING ERR_COUNT
void rig_ask(struct rig *rig, const char *payload, enum role role, enum err *answer);

/* A board `device` on `todevice` that hand-shook, with the app `app` on `app`; what that sent is
 * forgotten. */
void rig_board(struct rig *rig, const char *id, const char *topic);
/* What that board says when it starts again. */
#define RIG_HAND_SHAKE "add_device device todevice app app 1"
void rig_presence(struct rig *rig, const char *id, enum presence presence);
void rig_link_up(struct rig *rig);
/* The broker took the last command and passed it on. */
void rig_hand_over(struct rig *rig);
struct registry *rig_registry(struct rig *rig);
/* The newest command of a device; fails the test when there is none. */
const struct command *rig_command(struct rig *rig, const char *device_id);
/* The last thing that left. */
const struct rig_sent *rig_last(struct rig *rig);
/* How many payloads went to the topic. */
size_t rig_count_sent(struct rig *rig, const char *topic, const char *payload);
/* Committed rows of the log of the door: how many with that outcome (NULL: any); the newest. */
size_t rig_rows(struct rig *rig, const char *outcome);
const struct door_log *rig_last_row(struct rig *rig);
uint64_t rig_counter(struct rig *rig, enum counter counter);

#endif
