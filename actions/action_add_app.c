/* SPDX-License-Identifier: MIT
 *
 * add_app DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]     "add_app device todevice app toapp
 * 20200731110320"
 *
 * Hand-shake from a phone, answered to the phone. The device it names is provisional.
 */
#include "actions/pairing.h"

static enum err add_app_exec(struct action_context *context)
{
    return pairing_hand_shake(context, SPEAKER_APP);
}

const struct action action_add_app = {
    .word = "add_app",
    .grammar = "DEVICE_ID DEVICE_TOPIC APP_ID APP_TOPIC [TIME...]",
    .help = "Hand-shake from a phone.",
    .command_class = CLASS_NONE,
    .role = ROLE_ADMIN,
    .need = NEED_HAND_SHAKE,
    .min_args = 4,
    .max_args = 6,
    .exec = add_app_exec,
};
