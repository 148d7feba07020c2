/* SPDX-License-Identifier: MIT
 *
 * find_stranger N APP_TOPIC_1 ... APP_TOPIC_N [CAMERA_ID] TIME
 *     "find_stranger 2 toapp toapp2 20200731110320"
 *
 * A stranger stands at the door. TIME is one word here, so that one word more than N + 2 is the
 * camera's own id.
 */
#include <string.h>

#include "actions/alert.h"
#include "server/base/log.h"

#define STRANGER_TOPICS 32

/* A decimal number from 1 to STRANGER_TOPICS without leading zeros, else 0. */
static size_t stranger_count(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || digits > 2 || word[digits] != '\0' || word[0] == '0')
        return 0;
    size_t count = 0;
    for (size_t i = 0; i < digits; i++)
        count = 10 * count + (size_t)(word[i] - '0');
    return count <= STRANGER_TOPICS ? count : 0;
}

static enum err find_stranger_exec(struct action_context *context)
{
    const struct words *words = context->request->words;
    size_t args = words->count - 1, count = stranger_count(words->word[1]);
    if (count == 0 || (args != count + 2 && args != count + 3)) {
        action_count(context->actions, COUNTER_BAD_ARGUMENTS);
        log_info("actions", "find_stranger: %zu words do not fit N = %s", args, words->word[1]);
        return ERR_BAD_INPUT;
    }
    const char *camera = args == count + 3 ? words->word[2 + count] : NULL;
    return alert_raise(context, camera, &words->word[2], count, words->word[words->count - 1]);
}

const struct action action_find_stranger = {
    .word = "find_stranger",
    .grammar = "N APP_TOPIC_1 ... APP_TOPIC_N [CAMERA_ID] TIME",
    .help = "A camera saw a stranger: tell these app topics.",
    .command_class = CLASS_NONE,
    .role = ROLE_MEMBER,
    .need = NEED_ALL,
    .min_args = 3,
    .max_args = STRANGER_TOPICS + 3,
    .exec = find_stranger_exec,
};
