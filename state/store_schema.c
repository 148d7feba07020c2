/* SPDX-License-Identifier: MIT
 *
 * The shape of the database, as the steps that lead to it. A step that was released is never
 * changed: somebody's file was made by it. The columns are those of the record table (a test
 * compares them). It knows no file and no thread.
 */
#include "state/store_priv.h"

#include <stdio.h>

/* In the header of each of our files (PRAGMA application_id): "Gate". */
#define APPLICATION_ID 0x47617465

static const char tables[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), value TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE devices (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), topic TEXT NOT NULL,"
    " spoke INTEGER NOT NULL CHECK (spoke IN (0, 1)), lock TEXT NOT NULL, presence TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE apps (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), topic TEXT NOT NULL,"
    " spoke INTEGER NOT NULL CHECK (spoke IN (0, 1)), created_at INTEGER NOT NULL,"
    " seen_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE pairs (device_id TEXT NOT NULL CHECK (device_id <> ''),"
    " app_id TEXT NOT NULL CHECK (app_id <> ''), app_topic TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, PRIMARY KEY (device_id, app_id)) STRICT;"
    "CREATE TABLE tokens (hash TEXT PRIMARY KEY NOT NULL CHECK (hash <> ''),"
    " prefix TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE data (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), seq INTEGER NOT NULL,"
    " value TEXT NOT NULL, changed_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE custom (key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), value TEXT NOT NULL,"
    " changed_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE commands (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " device_id TEXT NOT NULL, app_id TEXT NOT NULL, word TEXT NOT NULL,"
    " command_class TEXT NOT NULL, state TEXT NOT NULL, asked_by TEXT NOT NULL,"
    " way TEXT NOT NULL, reason TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, sent_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,"
    " expires_boot INTEGER NOT NULL, boot_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE alerts (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " capability TEXT NOT NULL, device_id TEXT NOT NULL, claimed TEXT NOT NULL,"
    " topics TEXT NOT NULL, picture_id TEXT NOT NULL, created_at INTEGER NOT NULL,"
    " sent_at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE pictures (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    " alert_id TEXT NOT NULL, name TEXT NOT NULL, topic TEXT NOT NULL, claimed TEXT NOT NULL,"
    " type TEXT NOT NULL, sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT;"
    /* AUTOINCREMENT: a number is never used again, also after old rows went. */
    "CREATE TABLE door_log (seq INTEGER PRIMARY KEY AUTOINCREMENT, logged_at INTEGER NOT NULL,"
    " who TEXT NOT NULL, way TEXT NOT NULL, source TEXT NOT NULL, word TEXT NOT NULL,"
    " device_id TEXT NOT NULL, command_id TEXT NOT NULL,"
    " allowed INTEGER NOT NULL CHECK (allowed IN (0, 1)), outcome TEXT NOT NULL,"
    " reason TEXT NOT NULL) STRICT;";

static const char indices[] =
    "CREATE INDEX pictures_created ON pictures (created_at);"
    "CREATE INDEX pictures_named ON pictures (name, topic, claimed, created_at);"
    "CREATE INDEX pictures_alert ON pictures (alert_id);"
    "CREATE INDEX commands_created ON commands (created_at);"
    "CREATE INDEX commands_live ON commands (id) WHERE " STORE_OPEN_COMMAND ";"
    "CREATE INDEX alerts_capability ON alerts (capability);"
    "CREATE INDEX alerts_created ON alerts (created_at);"
    "CREATE INDEX alerts_unsent ON alerts (id) WHERE sent_at = 0;"
    "CREATE INDEX door_log_device ON door_log (device_id, seq);"
    "CREATE INDEX door_log_logged ON door_log (logged_at);";

/* Step N leads from version N to N + 1. */
static const char *const steps[] = {tables, indices};
#define VERSION ((int)(sizeof(steps) / sizeof(steps[0])))

int store_schema_version(void)
{
    return VERSION;
}

static enum err read_number(struct sqlite3 *db, const char *pragma, int *out, struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, pragma, -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *out = sqlite3_column_int(stmt, 0);
        sqlite3_finalize(stmt);
        return ERR_OK;
    }
    enum err err = store_db_error(db, "reading the version of the database", cause);
    sqlite3_finalize(stmt);
    return err;
}

enum err store_check_version(struct sqlite3 *db, const char *path, int *version,
                             struct cause *cause)
{
    int application = 0, found = 0;
    enum err err = read_number(db, "PRAGMA application_id", &application, cause);
    if (err == ERR_OK)
        err = read_number(db, "PRAGMA user_version", &found, cause);
    if (err != ERR_OK)
        return err;
    if (application != APPLICATION_ID || found < 1)
        return cause_set(cause, ERR_CORRUPT,
                         "%s is a database, but not one of gatehouse; put a backup in its place "
                         "(gatehouse restore DIR) or choose another data_dir",
                         path);
    if (found > VERSION)
        return cause_set(cause, ERR_NEWER,
                         "%s has version %d and this gatehouse knows versions up to %d; run the "
                         "newer gatehouse that wrote it, or restore a backup made before",
                         path, found, VERSION);
    *version = found;
    return ERR_OK;
}

static enum err run_step(struct sqlite3 *db, int step, struct cause *cause)
{
    char version[96];
    snprintf(version, sizeof(version), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, step + 1);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, steps[step], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, version, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return ERR_OK;
    enum err err = store_db_error(db, "migrating the database", cause);
    if (sqlite3_get_autocommit(db) == 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

enum err store_migrate(struct sqlite3 *db, int from, struct cause *cause)
{
    for (int step = from; step < VERSION; step++) {
        enum err err = run_step(db, step, cause);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}
