/* SPDX-License-Identifier: MIT
 *
 * The one table that describes what is kept, and the names of its enums. It knows no SQL and no
 * JSON: those are made from here.
 */
#include "state/records.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(enum lock_state) == sizeof(int), "enum columns are read as int");
_Static_assert(sizeof(enum presence) == sizeof(int), "enum columns are read as int");
_Static_assert(sizeof(enum role) == sizeof(int), "enum columns are read as int");
_Static_assert(sizeof(enum token_kind) == sizeof(int), "enum columns are read as int");
_Static_assert(sizeof(enum command_state) == sizeof(int), "enum columns are read as int");

static const char *const lock_names[] = {"unknown", "locked", "unlocked", "jammed", NULL};
static const char *const presence_names[] = {"unknown", "here", "away", NULL};
static const char *const role_names[] = {"none", "viewer", "member", "admin", NULL};
static const char *const token_kind_names[] = {"bearer", "session", "code", NULL};
static const char *const command_state_names[] = {"queued",    "sent",    "delivered", "done",
                                                  "failed",    "refused", "expired",   "unknown",
                                                  "cancelled", NULL};
/* In the order of enum action_class, which state/ must not see. */
static const char *const command_class_names[] = {"none", "unsafe", "safe", "config",
                                                  "job",  "query",  NULL};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(COUNT(lock_names) == LOCK_JAMMED + 2, "one name each");
_Static_assert(COUNT(presence_names) == PRESENCE_AWAY + 2, "one name each");
_Static_assert(COUNT(role_names) == ROLE_ADMIN + 2, "one name each");
_Static_assert(COUNT(token_kind_names) == TOKEN_CODE + 2, "one name each");
_Static_assert(COUNT(command_state_names) == COMMAND_CANCELLED + 2, "one name each");

#define SIZE_OF(record, member) sizeof(((struct record *)0)->member)
#define PLAIN(record, member, type)                                                                \
    {                                                                                              \
#member, type, offsetof(struct record, member), SIZE_OF(record, member), false, NULL       \
    }
#define KEY_TEXT(record, member)                                                                   \
    {                                                                                              \
#member, COLUMN_TEXT, offsetof(struct record, member), SIZE_OF(record, member), true, NULL \
    }
#define KEY_INT(record, member)                                                                    \
    {                                                                                              \
#member, COLUMN_INT, offsetof(struct record, member), SIZE_OF(record, member), true, NULL  \
    }
#define TEXT(record, member)     PLAIN(record, member, COLUMN_TEXT)
#define TEXT_PTR(record, member) PLAIN(record, member, COLUMN_TEXT_PTR)
#define INT(record, member)      PLAIN(record, member, COLUMN_INT)
#define BOOL(record, member)     PLAIN(record, member, COLUMN_BOOL)
#define ENUM(record, member, names)                                                                \
    {                                                                                              \
#member, COLUMN_ENUM, offsetof(struct record, member), SIZE_OF(record, member), false,     \
            names                                                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, COLUMN_TEXT, 0, 0, false, NULL                                                       \
    }

static const struct column meta_columns[] = {KEY_TEXT(meta, key), TEXT(meta, value), END};

static const struct column device_columns[] = {KEY_TEXT(device, id),
                                               TEXT(device, topic),
                                               BOOL(device, spoke),
                                               ENUM(device, lock, lock_names),
                                               ENUM(device, presence, presence_names),
                                               INT(device, created_at),
                                               INT(device, changed_at),
                                               INT(device, seen_at),
                                               END};

static const struct column app_columns[] = {KEY_TEXT(app, id), TEXT(app, topic),
                                            BOOL(app, spoke),  INT(app, created_at),
                                            INT(app, seen_at), END};

static const struct column pair_columns[] = {KEY_TEXT(pair, device_id), KEY_TEXT(pair, app_id),
                                             TEXT(pair, app_topic), INT(pair, created_at), END};

static const struct column token_columns[] = {KEY_TEXT(token, hash),
                                              TEXT(token, prefix),
                                              TEXT(token, name),
                                              ENUM(token, kind, token_kind_names),
                                              ENUM(token, role, role_names),
                                              INT(token, created_at),
                                              INT(token, expires_at),
                                              END};

static const struct column data_columns[] = {KEY_TEXT(data_item, key), INT(data_item, seq),
                                             TEXT(data_item, value), INT(data_item, changed_at),
                                             END};

static const struct column custom_columns[] = {KEY_TEXT(custom, key), TEXT_PTR(custom, value),
                                               INT(custom, changed_at), END};

static const struct column command_columns[] = {KEY_TEXT(command, id),
                                                TEXT(command, device_id),
                                                TEXT(command, app_id),
                                                TEXT(command, word),
                                                ENUM(command, command_class, command_class_names),
                                                ENUM(command, state, command_state_names),
                                                TEXT(command, asked_by),
                                                TEXT(command, way),
                                                TEXT(command, reason),
                                                INT(command, created_at),
                                                INT(command, expires_at),
                                                INT(command, sent_at),
                                                INT(command, ended_at),
                                                INT(command, expires_boot),
                                                TEXT(command, boot_id),
                                                END};

static const struct column alert_columns[] = {
    KEY_TEXT(alert, id),    TEXT(alert, capability), TEXT(alert, device_id),
    TEXT(alert, claimed),   TEXT_PTR(alert, topics), TEXT(alert, picture_id),
    INT(alert, created_at), INT(alert, sent_at),     END};

static const struct column picture_columns[] = {
    KEY_TEXT(picture, id),  TEXT(picture, alert_id), TEXT(picture, name),      TEXT(picture, topic),
    TEXT(picture, claimed), TEXT(picture, type),     TEXT(picture, sha256),    INT(picture, width),
    INT(picture, height),   INT(picture, bytes),     INT(picture, created_at), END};

static const struct column door_log_columns[] = {
    KEY_INT(door_log, seq),    INT(door_log, logged_at),   TEXT(door_log, who),
    TEXT(door_log, way),       TEXT(door_log, source),     TEXT(door_log, word),
    TEXT(door_log, device_id), TEXT(door_log, command_id), BOOL(door_log, allowed),
    TEXT(door_log, outcome),   TEXT(door_log, reason),     END};

const struct record_type record_types[REC_KINDS] = {
    [REC_META] = {"meta", sizeof(struct meta), meta_columns, false},
    [REC_DEVICE] = {"devices", sizeof(struct device), device_columns, true},
    [REC_APP] = {"apps", sizeof(struct app), app_columns, true},
    [REC_PAIR] = {"pairs", sizeof(struct pair), pair_columns, true},
    [REC_TOKEN] = {"tokens", sizeof(struct token), token_columns, true},
    [REC_DATA] = {"data", sizeof(struct data_item), data_columns, true},
    [REC_CUSTOM] = {"custom", sizeof(struct custom), custom_columns, true},
    [REC_COMMAND] = {"commands", sizeof(struct command), command_columns, true},
    [REC_ALERT] = {"alerts", sizeof(struct alert), alert_columns, true},
    [REC_PICTURE] = {"pictures", sizeof(struct picture), picture_columns, true},
    [REC_DOOR_LOG] = {"door_log", sizeof(struct door_log), door_log_columns, true},
};

static char **owned_text(const struct column *column, void *record)
{
    return (char **)(void *)((char *)record + column->offset);
}

bool record_copy_into(enum record_kind kind, void *out, const void *record)
{
    const struct record_type *type = &record_types[kind];
    memcpy(out, record, type->size);
    for (const struct column *column = type->columns; column->name != NULL; column++)
        if (column->type == COLUMN_TEXT_PTR)
            *owned_text(column, out) = NULL;
    for (const struct column *column = type->columns; column->name != NULL; column++) {
        if (column->type != COLUMN_TEXT_PTR)
            continue;
        const char *text = *(char *const *)(const void *)((const char *)record + column->offset);
        if (text == NULL)
            continue;
        *owned_text(column, out) = strdup(text);
        if (*owned_text(column, out) == NULL) {
            record_clear(kind, out);
            return false;
        }
    }
    return true;
}

void *record_copy(enum record_kind kind, const void *record)
{
    void *copy = malloc(record_types[kind].size);
    if (copy == NULL)
        return NULL;
    if (!record_copy_into(kind, copy, record)) {
        free(copy);
        return NULL;
    }
    return copy;
}

void record_clear(enum record_kind kind, void *record)
{
    for (const struct column *column = record_types[kind].columns; column->name != NULL; column++) {
        if (column->type != COLUMN_TEXT_PTR)
            continue;
        free(*owned_text(column, record));
        *owned_text(column, record) = NULL;
    }
}

void record_free(enum record_kind kind, void *record)
{
    if (record == NULL)
        return;
    record_clear(kind, record);
    free(record);
}

const char *lock_state_name(enum lock_state state)
{
    return (size_t)state < COUNT(lock_names) - 1 ? lock_names[state] : "?";
}

const char *command_state_name(enum command_state state)
{
    return (size_t)state < COUNT(command_state_names) - 1 ? command_state_names[state] : "?";
}

bool command_state_is_end(enum command_state state)
{
    return state >= COMMAND_DONE;
}

const char *role_name(enum role role)
{
    return (size_t)role < COUNT(role_names) - 1 ? role_names[role] : "?";
}

enum role role_from_name(const char *name)
{
    for (int role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
        if (strcmp(name, role_names[role]) == 0)
            return (enum role)role;
    return ROLE_NONE;
}

const char *presence_name(enum presence presence)
{
    return (size_t)presence < COUNT(presence_names) - 1 ? presence_names[presence] : "?";
}
