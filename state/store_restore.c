/* SPDX-License-Identifier: MIT
 *
 * A backup's database in the place of the live one, in one transaction of the live connection: who
 * is killed meanwhile has the old state or the new one. On the storage thread. It knows no
 * pictures.
 */
#include "state/store_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/log.h"

struct restore_job {
    struct store *store;
    char *path;
    store_done_fn *done;
    void *arg;
    enum err result;
};

static void restore_free(struct restore_job *job)
{
    free(job->path);
    free(job);
}

static void restore_answer(void *arg)
{
    struct restore_job *job = arg;
    store_done_fn *done = job->done;
    void *done_arg = job->arg;
    enum err result = job->result;
    restore_free(job);
    done(done_arg, result);
}

/* A copy of an older backup is brought up to date first: the backup stays as it is, and the
 * live database changes once. */
static enum err migrated_copy(struct sqlite3 *backup, int version, struct sqlite3 **out,
                              struct cause *cause)
{
    struct sqlite3 *copy = NULL;
    enum err err = ERR_OK;
    if (sqlite3_open_v2("", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        err = store_db_error(copy, "copying the backup", cause);
    if (err == ERR_OK)
        err = store_copy_pages(copy, backup, "copying the backup", cause);
    /* The pages say that there is a log; a database without a name has none. */
    if (err == ERR_OK &&
        sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        err = store_db_error(copy, "copying the backup", cause);
    if (err == ERR_OK)
        err = store_migrate(copy, version, cause);
    if (err != ERR_OK) {
        sqlite3_close(copy);
        return err;
    }
    *out = copy;
    return ERR_OK;
}

static enum err restore_now(struct store *store, const char *path, struct cause *cause)
{
    struct sqlite3 *backup = NULL, *migrated = NULL;
    int version;
    enum err err = store_open_copy(path, &backup, cause);
    if (err == ERR_OK)
        err = store_quick_check(backup, cause);
    if (err == ERR_OK)
        err = store_check_version(backup, path, &version, cause);
    if (err == ERR_OK && version < store_schema_version())
        err = migrated_copy(backup, version, &migrated, cause);
    if (err == ERR_OK)
        err = store_copy_pages(store->db, migrated != NULL ? migrated : backup,
                               "replacing the database", cause);
    sqlite3_close(migrated);
    sqlite3_close(backup);
    return err;
}

static void restore_run(void *arg)
{
    struct restore_job *job = arg;
    struct store *store = job->store;
    struct cause cause = {.text = ""};
    job->result = restore_now(store, job->path, &cause);
    if (job->result == ERR_OK)
        log_info("store", "the database was replaced by %s", job->path);
    else
        log_error("store", "the backup can't be restored: %s", cause.text);
    post_send(&store->post, restore_answer, job);
    store_checkpoint_now(store, true);
}

/* The file itself, or the one in the folder of a backup. */
static char *database_of(const char *path)
{
    struct stat found;
    char *file = NULL;
    if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode))
        return strdup(path);
    return asprintf(&file, "%s/%s", path, STORE_FILE) < 0 ? NULL : file;
}

void store_restore(struct store *store, const char *path, store_done_fn *done, void *arg)
{
    struct restore_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        done(arg, ERR_NO_MEMORY);
        return;
    }
    *job = (struct restore_job){store, database_of(path), done, arg, ERR_OK};
    enum err err = job->path == NULL ? ERR_NO_MEMORY : worker_post(store->writer, restore_run, job);
    if (err == ERR_OK)
        return;
    restore_free(job);
    done(arg, err);
}
