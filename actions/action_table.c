/* SPDX-License-Identifier: MIT
 *
 * Every action of the server, one line each. To add one: write its file, name its row here.
 */
#include "actions/action.h"

extern const struct action action_lock;
extern const struct action action_unlock;
extern const struct action action_lock_response;
extern const struct action action_unlock_response;
extern const struct action action_hand_shake;
extern const struct action action_add_device;
extern const struct action action_add_app;
extern const struct action action_find_stranger;
extern const struct action action_data;

const struct action *const action_table[] = {
    &action_lock,          &action_unlock,
    &action_lock_response, &action_unlock_response,
    &action_hand_shake,    &action_add_device,
    &action_add_app,       &action_find_stranger,
    &action_data,          NULL,
};
