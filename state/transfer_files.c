/* SPDX-License-Identifier: MIT
 *
 * What backup, verify and restore do with single pictures. It knows no manifest.
 */
#include "state/transfer_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "server/base/secret.h"
#include "state/picture_priv.h"
#include "state/store_priv.h"

enum err transfer_path(char out[PATH_MAX], const char *folder, const char *name,
                       struct cause *cause)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (len < 0 || len >= PATH_MAX - PICTURE_PATH_SIZE)
        return cause_set(cause, ERR_IO, "the name of the folder %.64s... is too long", folder);
    return ERR_OK;
}

static enum err count_pictures(struct sqlite3 *db, size_t *count, struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    bool read =
        sqlite3_prepare_v2(db, "SELECT count(*) FROM pictures", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW;
    if (read)
        *count = (size_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return read ? ERR_OK : store_db_error(db, "counting the pictures", cause);
}

enum err transfer_each_picture(struct sqlite3 *db, transfer_picture_fn *visit, void *arg,
                               transfer_progress_fn *progress, void *progress_arg,
                               struct cause *cause)
{
    struct sqlite3_stmt *stmt = NULL;
    size_t done = 0, total = 0;
    int step = SQLITE_DONE;
    enum err result = count_pictures(db, &total, cause);
    if (result == ERR_OK &&
        store_prepare_select(db, REC_PICTURE, "ORDER BY id", &stmt) != SQLITE_OK)
        result = store_db_error(db, "reading the pictures' rows", cause);
    while (result == ERR_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct picture picture = {0};
        result = store_read_row(stmt, REC_PICTURE, &picture);
        if (result == ERR_OK && !picture_id_is_valid(picture.id))
            result = ERR_CORRUPT;
        if (result == ERR_OK)
            result = visit(arg, &picture, cause);
        else
            cause_set(cause, result, "a row of the pictures can't be read");
        if (result == ERR_OK && progress != NULL)
            progress(progress_arg, ++done, total);
    }
    if (result == ERR_OK && step != SQLITE_DONE)
        result = store_db_error(db, "reading the pictures' rows", cause);
    sqlite3_finalize(stmt);
    return result;
}

enum err transfer_check_picture(const char *path, const struct picture *picture,
                                struct cause *cause)
{
    struct stat found;
    char hash[SECRET_SHA256_SIZE];
    if (lstat(path, &found) != 0)
        return cause_set(cause, errno == ENOENT ? ERR_CORRUPT : ERR_IO,
                         "the picture %s can't be read: %s", path, strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_size != picture->bytes)
        return cause_set(cause, ERR_CORRUPT, "the picture %s has %lld bytes instead of %lld", path,
                         (long long)found.st_size, (long long)picture->bytes);
    enum err result = secret_sha256_file(path, hash, cause);
    if (result != ERR_OK)
        return result;
    if (strcmp(hash, picture->sha256) != 0)
        return cause_set(cause, ERR_CORRUPT,
                         "the picture %s is damaged: its SHA-256 is not the one that was stored",
                         path);
    return ERR_OK;
}

enum err transfer_sync_all(const char *folder, struct cause *cause)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || syncfs(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return ERR_OK;
    return cause_set(cause, folder_err(error), "%s can't be synced: %s", folder, strerror(error));
}
