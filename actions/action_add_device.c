/* SPDX-License-Identifier: MIT
 *
 * add_device DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]     "add_device device todevice app
 * toapp 20200731110320"
 *
 * Hand-shake from a board, answered to the board. The app it names is provisional.
 */
#include "actions/pairing.h"

static enum err add_device_exec(struct action_context *context)
{
    return pairing_hand_shake(context, SPEAKER_DEVICE);
}

const struct action action_add_device = {
    .word = "add_device",
    .grammar = "DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]",
    .help = "Hand-shake from a board.",
    .command_class = CLASS_NONE,
    .role = ROLE_ADMIN,
    .need = NEED_HAND_SHAKE,
    .min_args = 4,
    .max_args = 6,
    .exec = add_device_exec,
};
