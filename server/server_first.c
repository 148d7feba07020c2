/* SPDX-License-Identifier: MIT
 *
 * What only a first start does: an admin's token and the single-use code that opens the page signed
 * in. And what each start takes over from the configuration file: custom keys that are not stored
 * yet (what is stored wins).
 */
#include "server/server.h"

#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/base/log.h"

static enum err take_custom(struct server *server)
{
    int64_t now_at = clock_wall_ms(&server->clock);
    for (const struct json *item = json_first(server->config->custom); item;
         item = json_next(item)) {
        const char *key = json_name(item);
        if (!name_is_valid(key, strlen(key))) {
            log_warn("config", "custom.%s: no usable name (1 to 128 bytes, no spaces): skipped",
                     key);
            continue;
        }
        if (registry_custom(turn_registry(server->turn), key))
            continue;
        struct custom custom = {.value = json_print(item), .changed_at = now_at};
        text_copy(custom.key, sizeof custom.key, key, strlen(key));
        enum err err = custom.value ? turn_put(server->turn, REC_CUSTOM, &custom) : ERR_NO_MEMORY;
        free(custom.value);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err make_admin(struct server *server)
{
    int64_t now_at = clock_wall_ms(&server->clock);
    struct meta made = {.key = "admin_made", .value = "yes"};
    enum err err = auth_token_create(server->turn, TOKEN_BEARER, "admin", ROLE_ADMIN, now_at, 0,
                                     server->admin_secret);
    if (!err)
        err = auth_token_create(server->turn, TOKEN_CODE, "admin", ROLE_ADMIN, now_at, AUTH_CODE_MS,
                                server->admin_code);
    if (!err)
        err = turn_put(server->turn, REC_META, &made);
    server->first_start = !err;
    return err;
}

enum err server_first_start(struct server *server)
{
    enum err err = take_custom(server);
    if (!err && server->config->http_auth == AUTH_TOKEN &&
        !registry_meta(turn_registry(server->turn), "admin_made"))
        err = make_admin(server);
    return err;
}
