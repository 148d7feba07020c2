/* SPDX-License-Identifier: MIT
 *
 * What is kept, as plain structs, and the one table that describes them (records.c). From that
 * table follow the SQL of the store, the JSON of export and import, and the registry's keys: a new
 * column is one struct member, one row and one migration. Times are wall milliseconds and their
 * names end in `_at`. Texts are UTF-8.
 */
#ifndef STATE_RECORDS_H
#define STATE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/names.h"
#include "server/base/secret.h"

enum record_kind {
    REC_META,
    REC_DEVICE,
    REC_APP,
    REC_PAIR,
    REC_TOKEN,
    REC_DATA,
    REC_CUSTOM,
    REC_COMMAND,
    REC_ALERT,
    REC_PICTURE,
    REC_DOOR_LOG,
    REC_KINDS
};

/* The server's own notes: "instance", "next_seq", "probe", "admin_made". Not exported. */
struct meta {
    char key[64];
    char value[NAME_SIZE];
};

enum lock_state { LOCK_UNKNOWN, LOCK_LOCKED, LOCK_UNLOCKED, LOCK_JAMMED };
enum presence { PRESENCE_UNKNOWN, PRESENCE_HERE, PRESENCE_AWAY };

struct device {
    char id[NAME_SIZE];    /* key */
    char topic[NAME_SIZE]; /* "" when it lost it to one that spoke for itself */
    bool spoke;            /* it hand-shook itself; false: only named by an app (provisional) */
    enum lock_state lock;  /* what the lock said last */
    enum presence presence;
    int64_t created_at;
    int64_t changed_at; /* of `lock` */
    int64_t seen_at;    /* its last hand-shake or answer */
};

struct app {
    char id[NAME_SIZE];    /* key */
    char topic[NAME_SIZE]; /* as in device */
    bool spoke;
    int64_t created_at;
    int64_t seen_at;
};

struct pair {
    char device_id[NAME_SIZE]; /* key, with app_id */
    char app_id[NAME_SIZE];
    char app_topic[NAME_SIZE]; /* what the board was told: it answers there even when the app's own
                                  differs */
    int64_t created_at;
};

enum role { ROLE_NONE, ROLE_VIEWER, ROLE_MEMBER, ROLE_ADMIN };
enum token_kind { TOKEN_BEARER, TOKEN_SESSION, TOKEN_CODE };

struct token {
    char hash[SECRET_SHA256_SIZE]; /* key: SHA-256 of the secret; the secret is kept nowhere */
    char prefix[9];                /* of the secret, to tell tokens apart in lists and the log */
    char name[NAME_SIZE];
    enum token_kind kind;
    enum role role;
    int64_t created_at;
    int64_t expires_at; /* 0: never */
};

/* What `data KEY VALUE` set. */
struct data_item {
    char key[NAME_SIZE]; /* key */
    int64_t seq;         /* order of first appearance */
    char value[1025];
    int64_t changed_at;
};

/* The user's own configuration keys. */
struct custom {
    char key[NAME_SIZE]; /* key */
    char *value;         /* JSON text, at most 64 KB; owned */
    int64_t changed_at;
};

enum command_state {
    COMMAND_QUEUED,
    COMMAND_SENT,      /* committed before the publish */
    COMMAND_DELIVERED, /* the broker's acknowledgement of a QoS 2 publish is complete */
    COMMAND_DONE,      /* from here on: ended */
    COMMAND_FAILED,
    COMMAND_REFUSED,
    COMMAND_EXPIRED,  /* never handed over */
    COMMAND_UNKNOWN,  /* handed over, no answer */
    COMMAND_CANCELLED /* a newer opposite command took its place before it was sent */
};

struct command {
    char id[SECRET_ID_SIZE]; /* key */
    char device_id[NAME_SIZE];
    char app_id[NAME_SIZE]; /* whom the asker named; "" when nobody */
    char word[33];
    int command_class; /* enum action_class */
    enum command_state state;
    char asked_by[NAME_SIZE]; /* principal's name; "anonymous" */
    char way[16];             /* "http", "mqtt", ... */
    char reason[128];         /* why it ended so; "" */
    int64_t created_at;
    int64_t expires_at;
    int64_t sent_at;      /* 0: never */
    int64_t ended_at;     /* 0: not yet */
    int64_t expires_boot; /* the same moment as expires_at on the boot clock, milliseconds */
    char boot_id[40];     /* which boot that clock belongs to */
};

/* A stranger at the door. Waits for its picture for 60 s, is sent once. */
struct alert {
    char id[SECRET_ID_SIZE];         /* key */
    char capability[SECRET_ID_SIZE]; /* in the picture's link */
    char device_id[NAME_SIZE];       /* "" when the camera did not name itself */
    char claimed[NAME_SIZE];         /* the TIME that came with it: the camera's word */
    char *topics;                    /* app topics it goes to, separated by one space; owned */
    char picture_id[SECRET_ID_SIZE]; /* "" until there is one */
    int64_t created_at;
    int64_t sent_at; /* 0: not yet */
};

struct picture {
    char id[SECRET_ID_SIZE]; /* key, and its file's name below pictures/ (first two digits a folder)
                              */
    char alert_id[SECRET_ID_SIZE];
    char name[NAME_SIZE];    /* as the camera called it (query parameter pic_name) */
    char topic[NAME_SIZE];   /* query parameter topic */
    char claimed[NAME_SIZE]; /* query parameter time */
    char type[16];           /* "image/jpeg", "image/png" */
    char sha256[SECRET_SHA256_SIZE];
    int64_t width, height; /* pixels */
    int64_t bytes;
    int64_t created_at;
};

/* One row of the log of the door. Appended, never changed; lives only in the store. */
struct door_log {
    int64_t seq; /* key; 0 in a new row: the store numbers it */
    int64_t logged_at;
    char who[NAME_SIZE];
    char way[16];
    char source[64]; /* address or topic it came by */
    char word[33];
    char device_id[NAME_SIZE];
    char command_id[SECRET_ID_SIZE]; /* a joiner's row names the command it joined */
    bool allowed;
    char outcome[64]; /* err_name or command state */
    char reason[128];
};

enum column_type {
    COLUMN_TEXT,     /* char[size] */
    COLUMN_TEXT_PTR, /* char *, owned */
    COLUMN_INT,      /* int64_t */
    COLUMN_BOOL,     /* bool */
    COLUMN_ENUM      /* int, kept by its name in `names` */
};

struct column {
    const char *name;
    enum column_type type;
    size_t offset, size;
    bool key;
    const char *const *names; /* COLUMN_ENUM: NULL-ended */
};

struct record_type {
    const char *table;            /* SQL table; also the name of the list in exported JSON */
    size_t size;                  /* of the struct */
    const struct column *columns; /* ends with a row whose name is NULL; keys first */
    bool exported;
};

extern const struct record_type record_types[REC_KINDS];

/* A deep copy into a struct of the caller's, who record_clear()s it. False when out of memory: then
 * `out` owns nothing. */
bool record_copy_into(enum record_kind kind, void *out, const void *record);
/* A deep copy on the heap (record_free); NULL when out of memory. */
void *record_copy(enum record_kind kind, const void *record);
/* Frees a record made by record_copy, with what it owns. NULL is fine. */
void record_free(enum record_kind kind, void *record);
/* Frees only what the struct owns, not the struct. */
void record_clear(enum record_kind kind, void *record);

const char *lock_state_name(enum lock_state state);
const char *command_state_name(enum command_state state);
bool command_state_is_end(enum command_state state);
const char *role_name(enum role role);
/* ROLE_NONE when it is no role's name. */
enum role role_from_name(const char *name);
const char *presence_name(enum presence presence);

#endif
