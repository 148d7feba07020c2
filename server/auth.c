/* SPDX-License-Identifier: MIT
 *
 * Who asks over HTTP. A secret is looked up by its hash, so the only comparison of secrets is one
 * of hashes; it takes the same time for right and wrong ones (secret_equal), and an unknown one
 * costs the same hash.
 */
#include "server/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/http_guard.h"

static bool is_live(const struct token *token, enum token_kind kind, int64_t now_at)
{
    return token->kind == kind && (!token->expires_at || now_at < token->expires_at);
}

/* The live token of that kind whose secret this is, or NULL. */
static const struct token *find_secret(const struct registry *registry, const char *secret,
                                       enum token_kind kind, int64_t now_at)
{
    char hash[SECRET_SHA256_SIZE];
    secret_sha256(secret, strlen(secret), hash);
    const struct token *token = registry_token(registry, hash);
    if (!token || !secret_equal(token->hash, hash) || !is_live(token, kind, now_at))
        return NULL;
    return token;
}

static void fill_caller(struct caller *caller, const char *name, enum role role, const char *way)
{
    text_copy(caller->name, sizeof caller->name, name, strlen(name));
    text_copy(caller->way, sizeof caller->way, way, strlen(way));
    caller->role = role;
}

static bool peer_is_trusted(const struct auth_input *input)
{
    for (int i = 0; input->trusted && i < input->trusted->count; i++)
        if (cidr_contains(input->trusted->item[i], input->peer))
            return true;
    return false;
}

/* RFC 6750 section 2.1; the scheme's name has no case (RFC 9110 section 11.1). */
static const char *bearer_secret(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *secret = authorization + 7;
    secret += strspn(secret, " ");
    return *secret ? secret : NULL;
}

enum err auth_identify(const struct registry *registry, const struct auth_input *input,
                       struct caller *caller)
{
    *caller = (struct caller){.role = ROLE_NONE};
    text_copy(caller->source, sizeof caller->source, input->peer, strlen(input->peer));
    const char *secret = bearer_secret(input->authorization);
    const struct token *token = NULL;
    if (secret) {
        token = find_secret(registry, secret, TOKEN_BEARER, input->now_at);
        if (!token && !input->auth_none)
            return ERR_UNAUTHORIZED;
    } else if (input->cookie) {
        token = find_secret(registry, input->cookie, TOKEN_SESSION, input->now_at);
    }
    if (token) {
        fill_caller(caller, token->name, token->role,
                    token->kind == TOKEN_SESSION ? "page" : "http");
        return ERR_OK;
    }
    if (input->auth_none) {
        fill_caller(caller, "anybody", ROLE_ADMIN, "http");
        return ERR_OK;
    }
    if (input->old_route && peer_is_trusted(input)) {
        fill_caller(caller, "trusted", ROLE_MEMBER, "http");
        return ERR_OK;
    }
    return ERR_UNAUTHORIZED;
}

void auth_token_make(enum token_kind kind, const char *name, enum role role, int64_t now_at,
                     int64_t ttl_ms, struct token *token, char secret[static SECRET_TOKEN_SIZE])
{
    secret_new_token(secret);
    *token = (struct token){.kind = kind, .role = role, .created_at = now_at};
    token->expires_at = ttl_ms ? now_at + ttl_ms : 0;
    text_copy(token->name, sizeof token->name, name, strlen(name));
    text_copy(token->prefix, sizeof token->prefix, secret, sizeof token->prefix - 1);
    secret_sha256(secret, strlen(secret), token->hash);
}

enum err auth_token_create(struct turn *turn, enum token_kind kind, const char *name,
                           enum role role, int64_t now_at, int64_t ttl_ms,
                           char secret[static SECRET_TOKEN_SIZE])
{
    struct token token;
    auth_token_make(kind, name, role, now_at, ttl_ms, &token, secret);
    return turn_put(turn, REC_TOKEN, &token);
}

enum err auth_code_exchange(struct turn *turn, const char *code, int64_t now_at,
                            char session[static SECRET_TOKEN_SIZE])
{
    const struct token *found = find_secret(turn_registry(turn), code, TOKEN_CODE, now_at);
    if (!found)
        return ERR_UNAUTHORIZED;
    struct token used = *found;
    enum err err = turn_del(turn, REC_TOKEN, &used);
    if (err)
        return err;
    return auth_token_create(turn, TOKEN_SESSION, used.name, used.role, now_at, AUTH_SESSION_MS,
                             session);
}

enum err auth_session_end(struct turn *turn, const char *session)
{
    char hash[SECRET_SHA256_SIZE];
    secret_sha256(session, strlen(session), hash);
    const struct token *found = registry_token(turn_registry(turn), hash);
    if (!found || found->kind != TOKEN_SESSION)
        return ERR_NOT_FOUND;
    struct token gone = *found;
    return turn_del(turn, REC_TOKEN, &gone);
}

#define PRUNE_AT_ONCE 64

struct prune {
    int64_t now_at;
    size_t count;
    struct token tokens[PRUNE_AT_ONCE];
};

static bool prune_visit(void *arg, const void *record)
{
    struct prune *prune = arg;
    const struct token *token = record;
    if (token->expires_at && token->expires_at <= prune->now_at)
        prune->tokens[prune->count++] = *token;
    return prune->count < PRUNE_AT_ONCE;
}

void auth_prune(struct turn *turn, int64_t now_at)
{
    struct prune prune = {.now_at = now_at};
    registry_each(turn_registry(turn), REC_TOKEN, prune_visit, &prune);
    for (size_t i = 0; i < prune.count; i++)
        if (turn_del(turn, REC_TOKEN, &prune.tokens[i]))
            return;
}
