/* SPDX-License-Identifier: MIT
 *
 * What alert.c (what an alert is, which picture belongs to it) and alert_send.c (when it goes out)
 * share.
 */
#ifndef ACTIONS_ALERT_PRIVATE_H
#define ACTIONS_ALERT_PRIVATE_H

#include "actions/action_private.h"
#include "actions/alert.h"

#define ALERTS_OPEN    8192   /* at most, so that a stranger can't fill the memory */
#define ALERT_STALE_MS 600000 /* one that could not be sent for this long isn't sent any more */
#define ALERT_RETRY_MS 1000   /* while changes are refused */
#define ALERTS_WALK_MS 1000

/* An alert that is not sent yet. */
struct alert_wait {
    char id[SECRET_ID_SIZE];
    int64_t due; /* boot ms */
    UT_hash_handle hh;
};

/* Milliseconds since it was raised; by the wall clock, so it may be less than 0. */
int64_t alert_age(const struct actions *actions, const struct alert *alert);
/* It will be sent at `due`. */
enum err alert_wait_until(struct actions *actions, const char *id, int64_t due);
/* Notes an unsent one as sent and publishes it after the commit; without a link it goes on waiting.
 */
void alert_send(struct actions *actions, const char *id);

#endif
