/* SPDX-License-Identifier: MIT
 *
 * A turn for tests: its keeper answers when the test says, its clocks stand, and what leaves is
 * written down in one line.
 */
#ifndef TESTS_UNIT_STATE_TURN_MADE_H
#define TESTS_UNIT_STATE_TURN_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "state/turn.h"

struct turn_made {
    struct turn *turn;
    struct batch *flight; /* with the keeper; NULL: none */
    int reloads;          /* asked and not yet answered */
    int kept;             /* all that were asked */
    bool at_once;         /* the keeper answers inside the call */
    int64_t wall, boot;
    char seen[512]; /* what left: "a b! c(NOT_KEPT)" */
    struct clock clock;
};

/* cmocka set-up and tear-down; *state is a struct turn_made. */
int tm_set_up(void **state);
int tm_tear_down(void **state);

void tm_see(struct turn_made *f, const char *what);
/* Compares what was seen since the last time. */
void tm_assert_seen(struct turn_made *f, const char *expected);
/* For turn_on_settled(): sees "settled-OK". */
void tm_settled(void *arg, enum err result);

/* Notes a device. */
enum err tm_put(struct turn_made *f, const char *id);
bool tm_has(struct turn_made *f, const char *id);
/* An out that is seen under its name, with how it left; then calls `then`. */
void tm_out(struct turn_made *f, const char *name);
void tm_out_then(struct turn_made *f, const char *name, void (*then)(struct turn_made *f));
/* A whole turn: a device, an out, the end. */
void tm_turn(struct turn_made *f, const char *id, const char *out);
/* A turn that notes a device, and the answer of the keeper. */
void tm_commit(struct turn_made *f, const char *id, enum err result);
/* What the keeper was asked is answered. */
void tm_answer(struct turn_made *f, enum err result);
void tm_answer_reload(struct turn_made *f, enum err result);

#endif
