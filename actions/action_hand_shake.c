/* SPDX-License-Identifier: MIT
 *
 * hand_shake DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]     "hand_shake device todevice app
 * toapp 20200731110320"
 *
 * Both hand-shakes at once: both are recorded, both are answered.
 */
#include "actions/pairing.h"

static enum err hand_shake_exec(struct action_context *context)
{
    return pairing_hand_shake(context, SPEAKER_BOTH);
}

const struct action action_hand_shake = {
    .word = "hand_shake",
    .grammar = "DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]",
    .help = "Hand-shake from a board and a phone at once.",
    .command_class = CLASS_NONE,
    .role = ROLE_ADMIN,
    .need = NEED_HAND_SHAKE,
    .min_args = 4,
    .max_args = 6,
    .exec = hand_shake_exec,
};
