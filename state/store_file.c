/* SPDX-License-Identifier: MIT
 *
 * Opening the database: as the one that writes, to read, as a finished copy. What is damaged, from
 * a newer version or suspiciously missing is refused and left as it is. It knows neither rows nor
 * threads.
 *
 * A new database is made whole under another name and then renamed, so a file of no bytes is never
 * ours and never taken for an empty one.
 */
#include "state/store_own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/folder.h"

#define CURE "restore a backup (gatehouse restore DIR), or put the missing files back"

enum err store_db_error(struct sqlite3 *db, const char *doing, struct cause *cause)
{
    int code = db == NULL ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
    const char *text = db == NULL ? "out of memory" : sqlite3_errmsg(db);
    int system = db == NULL ? 0 : sqlite3_system_errno(db);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return cause_set(cause, ERR_DISK_FULL, "%s: the disk is full", doing);
    case SQLITE_NOMEM:
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return cause_set(cause, ERR_CORRUPT, "%s: the database is damaged (%s); " CURE, doing,
                         text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return cause_set(cause, folder_err(system), "%s: %s (SQLite code %d, %s)", doing, text,
                         code, strerror(system));
    default:
        return cause_set(cause, ERR_IO, "%s: %s (SQLite code %d)", doing, text, code);
    }
}

/* Everything but the journal, which belongs to the file and not to the connection. */
static enum err configure(struct sqlite3 *db, const char *path, struct cause *cause)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, STORE_BUSY_MS);
    int rc = sqlite3_exec(db,
                          "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
                          "PRAGMA mmap_size = 0; PRAGMA synchronous = FULL;"
                          "PRAGMA secure_delete = FAST",
                          NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : store_db_error(db, path, cause);
}

static enum err connect_to(const char *path, int flags, struct sqlite3 **out, struct cause *cause)
{
    struct sqlite3 *db = NULL;
    enum err err;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        err = store_db_error(db, path, cause);
    else
        err = configure(db, path, cause);
    if (err != ERR_OK) {
        sqlite3_close(db);
        return err;
    }
    *out = db;
    return ERR_OK;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[4096];
    struct stat found;
    int len = snprintf(name, sizeof(name), "%s%s", path, suffix);
    if (len < 0 || (size_t)len >= sizeof(name) || stat(name, &found) != 0)
        return -1;
    return found.st_size;
}

/* What the first bytes and the size of an existing file already tell. SQLite itself takes a file
 * of no bytes for an empty database. Not to be used on a file this process has open in SQLite:
 * closing any descriptor of it drops POSIX locks. */
static enum err check_bytes(const char *path, struct cause *cause)
{
    unsigned char head[100];
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cause_set(cause, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                         strerror(errno));
    ssize_t got = fstat(fd, &found) == 0 ? pread(fd, head, sizeof(head), 0) : -1;
    int error = errno;
    close(fd);
    if (got < 0)
        return cause_set(cause, ERR_IO, "%s: %s", path, strerror(error));
    if (got == 0)
        return cause_set(cause, ERR_CORRUPT, "%s is empty: what was in it is lost; " CURE, path);
    if (got < (ssize_t)sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
        return cause_set(cause, ERR_CORRUPT, "%s is not a database (any more); " CURE, path);
    /* A checkpoint that was cut off may leave part of a page behind, but then the log is there. */
    int64_t page = head[16] << 8 | head[17];
    page = page == 1 ? 65536 : page;
    if (page == 0 || (found.st_size % page != 0 && size_of(path, "-wal") <= 0))
        return cause_set(cause, ERR_CORRUPT, "%s is cut off; " CURE, path);
    return ERR_OK;
}

enum err store_quick_check(struct sqlite3 *db, struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    enum err err = ERR_OK;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(stmt, 0);
        /* The first line is a heading. */
        const char *fault = said == NULL ? NULL : strrchr(said, '\n');
        if (said == NULL || strcmp(said, "ok") != 0)
            err = cause_set(cause, ERR_CORRUPT, "the database is damaged (%s); " CURE,
                            fault == NULL ? "unreadable" : fault + 1);
    } else {
        err = store_db_error(db, "checking the database", cause);
    }
    sqlite3_finalize(stmt);
    return err;
}

static enum err open_to_read(const char *path, const char *name, int flags, struct sqlite3 **out,
                             struct cause *cause)
{
    struct sqlite3 *db;
    int version;
    enum err err = connect_to(name, flags | SQLITE_OPEN_READONLY, &db, cause);
    if (err != ERR_OK)
        return err;
    err = store_check_version(db, path, &version, cause);
    if (err != ERR_OK) {
        sqlite3_close(db);
        return err;
    }
    *out = db;
    return ERR_OK;
}

enum err store_open_readonly(const char *path, struct sqlite3 **out, struct cause *cause)
{
    if (access(path, F_OK) != 0)
        return cause_set(cause, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    return open_to_read(path, path, 0, out, cause);
}

/* "file:PATH?immutable=1" with what a URI takes for itself escaped. */
static char *immutable_uri(const char *path)
{
    char *uri = malloc(3 * strlen(path) + 32);
    if (uri == NULL)
        return NULL;
    while (path[0] == '/' && path[1] == '/')
        path++;
    char *at = stpcpy(uri, "file:");
    for (; *path != '\0'; path++) {
        if (strchr("%?#", *path) != NULL)
            at += snprintf(at, 4, "%%%02X", (unsigned char)*path);
        else
            *at++ = *path;
    }
    stpcpy(at, "?immutable=1");
    return uri;
}

enum err store_open_copy(const char *path, struct sqlite3 **out, struct cause *cause)
{
    enum err err = check_bytes(path, cause);
    if (err != ERR_OK)
        return err;
    if (size_of(path, "-wal") > 0)
        return cause_set(cause, ERR_CORRUPT,
                         "%s is not a finished copy: there is a log of changes beside it", path);
    char *uri = immutable_uri(path);
    if (uri == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", path);
    err = open_to_read(path, uri, SQLITE_OPEN_URI, out, cause);
    free(uri);
    return err;
}

/* An empty file (0600 whatever the umask) in place of what may be there. */
static enum err make_file(const char *path, struct cause *cause)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return cause_set(cause, folder_err(error), "%s: %s", path, strerror(error));
    }
    close(fd);
    return ERR_OK;
}

/* Puts the finished `part` in its place, for good. */
static enum err put_in_place(const char *part, const char *path, struct cause *cause)
{
    if (rename(part, path) != 0)
        return cause_set(cause, folder_err(errno), "%s: %s", path, strerror(errno));
    char *folder = strdup(path);
    if (folder == NULL)
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    enum err err = folder_sync(slash == NULL ? "." : folder, cause);
    free(folder);
    return err;
}

enum err store_copy_pages(struct sqlite3 *to, struct sqlite3 *from, const char *doing,
                          struct cause *cause)
{
    struct sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (backup == NULL)
        return store_db_error(to, doing, cause);
    int rc;
    int tries = 0;
    do {
        rc = sqlite3_backup_step(backup, -1);
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            sqlite3_sleep(20);
    } while ((rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && ++tries < 100);
    sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE)
        return ERR_OK;
    /* The steps' own error is only in their result; finish copied it to `to`. */
    return store_db_error(to, doing, cause);
}

enum err store_copy_to(struct sqlite3 *from, const char *path, struct cause *cause)
{
    char *part = NULL;
    struct sqlite3 *to = NULL;
    if (asprintf(&part, "%s.part", path) < 0)
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", path);
    enum err err = make_file(part, cause);
    if (err == ERR_OK)
        err = connect_to(part, SQLITE_OPEN_READWRITE, &to, cause);
    if (err == ERR_OK)
        err = store_copy_pages(to, from, path, cause);
    if (err == ERR_OK &&
        sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        err = store_db_error(to, path, cause);
    sqlite3_close(to);
    if (err == ERR_OK)
        err = put_in_place(part, path, cause);
    if (err != ERR_OK)
        unlink(part);
    free(part);
    return err;
}

static bool has_files(const char *folder, int depth)
{
    DIR *dir = opendir(folder);
    bool found = false;
    if (dir == NULL)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        char path[4096];
        struct stat about;
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof(path) || lstat(path, &about) != 0)
            continue;
        found = S_ISDIR(about.st_mode) ? depth > 0 && has_files(path, depth - 1)
                                       : S_ISREG(about.st_mode);
    }
    closedir(dir);
    return found;
}

/* Without a database file nothing else of ours may be there: then one was. */
static enum err check_leftovers(const char *data_dir, struct cause *cause)
{
    char pictures[4096];
    enum err err = ERR_OK;
    snprintf(pictures, sizeof(pictures), "%s/pictures", data_dir);
    if (has_files(pictures, 1))
        return cause_set(cause, ERR_CORRUPT,
                         "%s has pictures but no " STORE_FILE ": it is lost or elsewhere; " CURE
                         "; to begin anew move the pictures away",
                         data_dir);
    DIR *dir = opendir(data_dir);
    if (dir == NULL)
        return cause_set(cause, ERR_IO, "%s: %s", data_dir, strerror(errno));
    for (struct dirent *entry; err == ERR_OK && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (strncmp(name, STORE_FILE, strlen(STORE_FILE)) != 0 ||
            strncmp(name, STORE_FILE ".new", strlen(STORE_FILE ".new")) == 0)
            continue;
        err = cause_set(cause, ERR_CORRUPT,
                        "%s has %s but no " STORE_FILE ": it is lost or elsewhere; " CURE
                        "; to begin anew move that file away",
                        data_dir, name);
    }
    closedir(dir);
    return err;
}

static enum err create(const char *path, struct cause *cause)
{
    char *part = NULL;
    struct sqlite3 *db = NULL;
    if (asprintf(&part, "%s.new", path) < 0)
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", path);
    enum err err = make_file(part, cause);
    if (err == ERR_OK)
        err = connect_to(part, SQLITE_OPEN_READWRITE, &db, cause);
    if (err == ERR_OK)
        err = store_migrate(db, 0, cause);
    sqlite3_close(db);
    if (err == ERR_OK)
        err = put_in_place(part, path, cause);
    free(part);
    return err;
}

static enum err bring_up_to_date(struct sqlite3 *db, const char *path, struct cause *cause)
{
    int version;
    char *copy = NULL;
    enum err err = store_check_version(db, path, &version, cause);
    if (err == ERR_OK)
        err = store_quick_check(db, cause);
    if (err != ERR_OK || version == store_schema_version())
        return err;
    if (asprintf(&copy, "%s.before-v%d", path, store_schema_version()) < 0)
        return cause_set(cause, ERR_NO_MEMORY, "%s: out of memory", path);
    err = store_copy_to(db, copy, cause);
    free(copy);
    return err != ERR_OK ? err : store_migrate(db, version, cause);
}

static enum err use_wal(struct sqlite3 *db, const char *path, struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    bool wal = false;
    if (sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        wal = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    enum err err = ERR_OK;
    if (!wal)
        err = cause_set(cause, ERR_IO,
                        "%s: this file system can't hold the database's log (journal_mode WAL: %s)",
                        path, sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
    /* Checkpoints are the storage thread's, after its answers. */
    if (err == ERR_OK && sqlite3_exec(db,
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA journal_size_limit = 16777216",
                                      NULL, NULL, NULL) != SQLITE_OK)
        err = store_db_error(db, path, cause);
    return err;
}

enum err store_open_to_write(const char *data_dir, const char *path, struct sqlite3 **out,
                             struct cause *cause)
{
    struct sqlite3 *db;
    enum err err = folder_make(data_dir, cause);
    if (err == ERR_OK && access(path, F_OK) != 0) {
        err = check_leftovers(data_dir, cause);
        if (err == ERR_OK)
            err = create(path, cause);
    }
    if (err == ERR_OK)
        err = check_bytes(path, cause);
    if (err == ERR_OK)
        err = connect_to(path, SQLITE_OPEN_READWRITE, &db, cause);
    if (err != ERR_OK)
        return err;
    (void)chmod(path, 0600);
    /* Until it is known to be ours and whole, closing must not move the log into it. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    err = bring_up_to_date(db, path, cause);
    if (err == ERR_OK)
        err = use_wal(db, path, cause);
    if (err != ERR_OK) {
        sqlite3_close(db);
        return err;
    }
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    *out = db;
    return ERR_OK;
}

enum err store_open_in_memory(struct sqlite3 **out, struct cause *cause)
{
    struct sqlite3 *db;
    enum err err = connect_to(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, cause);
    if (err == ERR_OK)
        err = store_migrate(db, 0, cause);
    if (err != ERR_OK)
        return err;
    *out = db;
    return ERR_OK;
}
