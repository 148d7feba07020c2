/* SPDX-License-Identifier: MIT
 *
 * Hand-shakes in the old dialect (CONTRACT 1.2): a device, an app and their pair become known.
 * Loop thread.
 */
#ifndef ACTIONS_PAIRING_H
#define ACTIONS_PAIRING_H

#include "actions/action.h"

/* Who says it. What somebody else says of a board or phone is provisional. */
enum speaker { SPEAKER_DEVICE = 1, SPEAKER_APP = 2, SPEAKER_BOTH = 3 };

#define PAIRING_DEVICES 200000 /* at most, so that strangers can't fill the memory */
#define PAIRING_APPS    200000
#define PAIRING_PAIRS   400000

/* The request's words 1 to 4: DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC. Answers leave after the
 * commit; when it fails there is no answer. ERR_BAD_INPUT, ERR_CONFLICT, ERR_FORBIDDEN (pairing is
 * closed), ERR_LIMIT: refused, counted, and answered with state 1 where that reaches nobody else.
 */
enum err pairing_hand_shake(struct action_context *context, enum speaker speaker);

#endif
