/* SPDX-License-Identifier: MIT
 *
 * Who asks over HTTP: bearer tokens (RFC 6750), the page's session cookie, single-use sign-in
 * codes, trusted addresses. Only the SHA-256 of a secret is kept. Knows the registry and the turn,
 * no HTTP library.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "actions/action.h"
#include "server/base/fields.h"
#include "state/turn.h"

struct auth_input {
    const char *authorization; /* header value or NULL */
    const char *cookie;        /* value of the session cookie or NULL */
    const char *peer;
    bool old_route; /* http.trusted counts */
    bool auth_none; /* http.auth "none" */
    const struct field_list *trusted;
    int64_t now_at;
};
#define AUTH_COOKIE "gatehouse_session"
/* Fills in the caller. ERR_OK, or ERR_UNAUTHORIZED. The role still has to be checked. */
enum err auth_identify(const struct registry *registry, const struct auth_input *input,
                       struct caller *caller);
/* Makes a token, session or code: fills in its row; `secret` is what the owner gets, once. `ttl_ms`
 * 0: never expires. */
void auth_token_make(enum token_kind kind, const char *name, enum role role, int64_t now_at,
                     int64_t ttl_ms, struct token *token, char secret[static SECRET_TOKEN_SIZE]);
/* The same, and notes the row. */
enum err auth_token_create(struct turn *turn, enum token_kind kind, const char *name,
                           enum role role, int64_t now_at, int64_t ttl_ms,
                           char secret[static SECRET_TOKEN_SIZE]);
/* A code is used up: its row goes, a session comes. ERR_UNAUTHORIZED when it is none or its time is
 * over. */
enum err auth_code_exchange(struct turn *turn, const char *code, int64_t now_at,
                            char session[static SECRET_TOKEN_SIZE]);
/* Ends a session (sign out). */
enum err auth_session_end(struct turn *turn, const char *session);
/* Removes rows whose time is over; called now and then. */
void auth_prune(struct turn *turn, int64_t now_at);
#define AUTH_SESSION_MS (30LL * 24 * 3600 * 1000)
#define AUTH_CODE_MS    (24LL * 3600 * 1000)

#endif
