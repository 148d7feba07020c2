/* SPDX-License-Identifier: MIT
 *
 * A whole data folder as a copy: the database of one moment, then the pictures that its rows name,
 * each checked, and the manifest last, so that a copy without a manifest is known to be unfinished.
 * Whoever runs it beside a server sees to it that the server holds its pictures.
 */
#include "state/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/secret.h"
#include "state/pictures.h"
#include "state/store_priv.h"
#include "state/transfer_priv.h"

struct backup {
    const char *data_dir, *dir;
    int schema; /* of the database that was copied */
    size_t pictures;
    int64_t picture_bytes;
};

/* Makes the folder, or takes one that is there and empty. */
static enum err take_folder(const char *path, struct cause *cause)
{
    enum err result = folder_make(path, cause);
    if (result != ERR_OK)
        return result;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return cause_set(cause, ERR_IO, "%s can't be read: %s", path, strerror(errno));
    struct dirent *entry;
    bool empty = true;
    while ((entry = readdir(folder)) != NULL)
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(folder);
    if (!empty)
        return cause_set(cause, ERR_CONFLICT, "%s is not empty: a backup wants a folder of its own",
                         path);
    return ERR_OK;
}

/* The database as of now, in a file of its own that is checked. */
static enum err copy_database(struct backup *backup, struct cause *cause)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct sqlite3 *db = NULL, *copy = NULL;
    enum err result = transfer_path(from, backup->data_dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = transfer_path(to, backup->dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = store_open_readonly(from, &db, cause);
    if (result != ERR_OK)
        return result;
    result = store_copy_to(db, to, cause);
    sqlite3_close(db);
    if (result == ERR_OK)
        result = store_open_copy(to, &copy, cause);
    if (result == ERR_OK)
        result = store_check_version(copy, to, &backup->schema, cause);
    if (result == ERR_OK)
        result = store_quick_check(copy, cause);
    sqlite3_close(copy);
    return result;
}

static enum err copy_picture(void *arg, const struct picture *picture, struct cause *cause)
{
    struct backup *backup = arg;
    char name[PICTURE_PATH_SIZE], from[PATH_MAX], to[PATH_MAX];
    picture_path(picture->id, name);
    enum err result = transfer_path(from, backup->data_dir, name, cause);
    if (result == ERR_OK)
        result = transfer_path(to, backup->dir, name, cause);
    if (result != ERR_OK)
        return result;
    char *last = strrchr(to, '/');
    *last = '\0';
    result = folder_make(to, cause);
    *last = '/';
    if (result == ERR_OK)
        result = folder_copy_file(from, to, cause);
    if (result == ERR_OK)
        result = transfer_check_picture(to, picture, cause);
    backup->pictures++;
    backup->picture_bytes += picture->bytes;
    return result;
}

static enum err copy_pictures(struct backup *backup, transfer_progress_fn *progress, void *arg,
                              struct cause *cause)
{
    char path[PATH_MAX];
    struct sqlite3 *copy = NULL;
    enum err result = transfer_path(path, backup->dir, "pictures", cause);
    if (result == ERR_OK)
        result = folder_make(path, cause);
    if (result == ERR_OK)
        result = transfer_path(path, backup->dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = store_open_copy(path, &copy, cause);
    if (result == ERR_OK)
        result = transfer_each_picture(copy, copy_picture, backup, progress, arg, cause);
    sqlite3_close(copy);
    return result;
}

static enum err write_file(const char *path, const struct buf *text, struct cause *cause)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    errno = fd < 0 ? errno : 0;
    bool written =
        fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (written)
        return ERR_OK;
    return cause_set(cause, folder_err(error), "%s can't be written: %s", path, strerror(error));
}

static enum err write_manifest(const struct backup *backup, int64_t now_at, struct cause *cause)
{
    char path[PATH_MAX], unfinished[PATH_MAX], hash[SECRET_SHA256_SIZE], time[CLOCK_TEXT_MAX];
    struct buf text;
    enum err result = transfer_path(path, backup->dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = secret_sha256_file(path, hash, cause);
    if (result == ERR_OK)
        result = transfer_path(path, backup->dir, BACKUP_MANIFEST, cause);
    if (result == ERR_OK)
        result = transfer_path(unfinished, backup->dir, BACKUP_MANIFEST ".part", cause);
    if (result != ERR_OK)
        return result;
    buf_init(&text, 4096);
    buf_addf(&text,
             "{\n  \"format\": \"%s\",\n  \"version\": %d,\n  \"created_at\": \"%s\",\n"
             "  \"schema\": %d,\n  \"database_sha256\": \"%s\",\n  \"pictures\": %zu,\n"
             "  \"picture_bytes\": %" PRId64 "\n}\n",
             BACKUP_FORMAT, BACKUP_VERSION, clock_rfc3339(now_at, time), backup->schema, hash,
             backup->pictures, backup->picture_bytes);
    result = buf_error(&text);
    if (result == ERR_OK)
        result = write_file(unfinished, &text, cause);
    buf_free(&text);
    if (result == ERR_OK && rename(unfinished, path) != 0)
        result = cause_set(cause, folder_err(errno), "%s can't be made: %s", path, strerror(errno));
    return result == ERR_OK ? folder_sync(backup->dir, cause) : result;
}

enum err transfer_backup(const char *data_dir, const char *dir, int64_t now_at,
                         transfer_progress_fn *progress, void *arg, struct cause *cause)
{
    struct backup backup = {.data_dir = data_dir, .dir = dir};
    enum err result = take_folder(dir, cause);
    if (result == ERR_OK)
        result = copy_database(&backup, cause);
    if (result == ERR_OK)
        result = copy_pictures(&backup, progress, arg, cause);
    if (result == ERR_OK)
        result = transfer_sync_all(dir, cause);
    if (result == ERR_OK)
        result = write_manifest(&backup, now_at, cause);
    return result;
}
