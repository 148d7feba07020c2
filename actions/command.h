/* SPDX-License-Identifier: MIT
 *
 * The life of a command (CONTRACT 2.3, DESIGN 3): queued -> sent -> delivered -> done | failed |
 * refused | expired | unknown. The class decides everything; nobody else knows about unlocking.
 * Loop thread.
 */
#ifndef ACTIONS_COMMAND_H
#define ACTIONS_COMMAND_H

#include "actions/action.h"

struct class_rule {
    enum action_class command_class;
    int64_t ttl_ms;
    bool kept_when_away; /* the newest one waits for the device or the link */
    bool once;           /* never handed over twice */
    int64_t join_ms;     /* also joins one made this short ago, whatever became of it */
};
const struct class_rule *class_rule(enum action_class command_class);

/* CONTRACT 1.3: the broker's acknowledgement within this, or the answer is `1` and the link is
 * ended. */
#define COMMAND_HANDOVER_MS 1000

/* `lock` and `unlock` for one device id, or NULL or "*" for all that the caller may command. Takes
 * over request->done. `app_id` may be NULL. */
enum err command_request(struct action_context *context, const char *device_id, const char *app_id);
/* The device's answer. `word` is the command's word ("unlock"), success what STATE `0` means. */
enum err command_answered(struct action_context *context, const char *word, const char *device_id,
                          bool success);

/* From the MQTT adapter. */
void commands_handed_over(struct actions *actions,
                          const char *command_id); /* QoS 2 complete (PUBCOMP) */
void commands_taken(struct actions *actions,
                    const char *command_id); /* PUBREC: handed over, and who waits is told */
void commands_rejected(struct actions *actions,
                       const char *command_id);   /* the broker said no (reason >= 0x80) */
void commands_link_up(struct actions *actions);   /* subscribed: kept safe commands go out */
void commands_link_down(struct actions *actions); /* what was in flight ends or is kept again */
/* After a start and after each reload: unsafe `sent` becomes `unknown`, what is over ends, open
 * alerts go on. */
void commands_recover(struct actions *actions);
/* The device hand-shook again: safe commands that it did not answer go out again. */
void commands_device_back(struct actions *actions, const char *device_id);
/* Every 100 ms or so, and never later than actions_next_due(): times to live, handover deadlines,
 * forgetting. */
void commands_tick(struct actions *actions);
/* Boot-clock ms at which something is due, INT64_MAX when nothing is. Commands and alerts. */
int64_t actions_next_due(const struct actions *actions);
/* Whether an order waits for the broker to take it. */
bool commands_wait(const struct actions *actions);
/* The server stops: who waits for an order is told so, and one that the broker did not take yet
 * must not be taken any more. The turn is stopped already. */
void commands_stop(struct actions *actions);
/* The process stood still until now: unsafe requests are refused with ERR_STALLED until
 * commands_awake(). */
void commands_stalled(struct actions *actions);
void commands_awake(struct actions *actions);

#endif
