/* SPDX-License-Identifier: MIT
 *
 * Alerts: a stranger stands at the door, a picture may follow, each app topic is told once
 * (CONTRACT 1.2, 1.3). Loop thread.
 */
#ifndef ACTIONS_ALERT_H
#define ACTIONS_ALERT_H

#include "actions/action.h"

#define ALERT_JOIN_MS 10000 /* alerts of one device to the same topics within this are one */
#define ALERT_PICTURE_MS                                                                           \
    60000 /* an alert waits this long for its picture, also after it was sent */

/* `find_stranger`: `topics` are app topics as named, device_id may be NULL or "". */
enum err alert_raise(struct action_context *context, const char *device_id,
                     const char *const *topics, size_t count, const char *claimed);
/* A picture's file is stored: finds the alert it belongs to (newest waiting one of picture->topic
 * as device, else newest waiting one that names no device, else a new one for the apps paired with
 * that device), sets picture->alert_id and created_at, notes both, and publishes the alert if it
 * wasn't yet. `done` when all of it is on disk. */
void alert_picture_stored(struct actions *actions, const struct picture *picture,
                          action_done_fn *done, void *arg);
/* Timers: alerts whose picture did not come in alerts.picture_wait_ms are sent without; called by
 * commands_tick(). */
void alerts_tick(struct actions *actions);
int64_t alerts_next_due(const struct actions *actions);
/* After a start or reload, and when the link is back: unsent alerts go on. */
void alerts_recover(struct actions *actions);
/* The picture's address, "PUBLIC_URL/pic/ALERT_ID?c=CAPABILITY". */
#define ALERT_URL_SIZE 512
void alert_url(struct actions *actions, const struct alert *alert, char out[static ALERT_URL_SIZE]);

#endif
