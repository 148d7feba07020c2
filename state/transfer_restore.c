/* SPDX-License-Identifier: MIT
 *
 * A backup is checked whole, and its pictures go back into a data folder: first all of them under
 * temporary names, checked and synced, then renamed, so that no crash leaves half a picture under a
 * real name. The database of a folder that works is the store's to replace; here it is only put
 * where there is none.
 */
#include "state/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "server/base/secret.h"
#include "state/pictures.h"
#include "state/store_priv.h"
#include "state/transfer_priv.h"

#define MANIFEST_MAX 65536

struct manifest {
    char database_sha256[SECRET_SHA256_SIZE];
    int64_t pictures;
};

static enum err read_file(const char *path, char *out, size_t size, size_t *len,
                          struct cause *cause)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return errno == ENOENT
                   ? cause_set(cause, ERR_NOT_FOUND, "there is no %s: this is no finished backup",
                               path)
                   : cause_set(cause, ERR_IO, "%s can't be read: %s", path, strerror(errno));
    *len = fread(out, 1, size, file);
    bool failed = ferror(file) || *len == size;
    fclose(file);
    return failed ? cause_set(cause, ERR_CORRUPT, "%s can't be read", path) : ERR_OK;
}

static enum err check_manifest(const struct json *json, struct manifest *out, const char *path,
                               struct cause *cause)
{
    int64_t version = 0, schema = 0;
    const char *format = json_str(json_get(json, "format"));
    const char *hash = json_str(json_get(json, "database_sha256"));
    if (format == NULL || strcmp(format, BACKUP_FORMAT) != 0 ||
        !json_int(json_get(json, "version"), &version) ||
        !json_int(json_get(json, "schema"), &schema) || hash == NULL ||
        strlen(hash) != SECRET_SHA256_SIZE - 1 ||
        !json_int(json_get(json, "pictures"), &out->pictures))
        return cause_set(cause, ERR_CORRUPT, "%s is no manifest of a backup", path);
    if (version > BACKUP_VERSION || schema > store_schema_version())
        return cause_set(cause, ERR_NEWER,
                         "the backup was made by a newer version: restore it with that one");
    memcpy(out->database_sha256, hash, SECRET_SHA256_SIZE);
    return ERR_OK;
}

static enum err read_manifest(const char *dir, struct manifest *out, struct cause *cause)
{
    char path[PATH_MAX];
    struct json *json = NULL;
    struct cause why;
    size_t len = 0;
    char *text = malloc(MANIFEST_MAX);
    enum err result = text == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (result == ERR_OK)
        result = transfer_path(path, dir, BACKUP_MANIFEST, cause);
    if (result == ERR_OK)
        result = read_file(path, text, MANIFEST_MAX, &len, cause);
    if (result == ERR_OK && json_parse(text, len, &json_limits_wire, &json, &why) != ERR_OK)
        result = cause_set(cause, ERR_CORRUPT, "%s is no manifest of a backup: %s", path, why.text);
    if (result == ERR_OK)
        result = check_manifest(json, out, path, cause);
    json_free(json);
    free(text);
    return result;
}

/* A journal or a log beside the copy would change what opening it reads. */
static enum err refuse_side_files(const char *dir, struct cause *cause)
{
    static const char *const names[] = {STORE_FILE "-wal", STORE_FILE "-journal"};
    char path[PATH_MAX];
    struct stat found;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum err result = transfer_path(path, dir, names[i], cause);
        if (result != ERR_OK)
            return result;
        if (lstat(path, &found) == 0)
            return cause_set(cause, ERR_CORRUPT, "%s does not belong to a backup", path);
    }
    return ERR_OK;
}

static enum err open_database(const char *dir, struct sqlite3 **out, struct cause *cause)
{
    char path[PATH_MAX];
    enum err result = transfer_path(path, dir, STORE_FILE, cause);
    return result == ERR_OK ? store_open_copy(path, out, cause) : result;
}

static enum err check_database(const char *dir, const struct manifest *manifest,
                               struct cause *cause)
{
    char path[PATH_MAX], hash[SECRET_SHA256_SIZE];
    enum err result = transfer_path(path, dir, STORE_FILE, cause);
    if (result == ERR_OK)
        result = refuse_side_files(dir, cause);
    if (result == ERR_OK && access(path, F_OK) != 0)
        result =
            cause_set(cause, ERR_CORRUPT, "there is no %s: the backup lacks its database", path);
    if (result == ERR_OK)
        result = secret_sha256_file(path, hash, cause);
    if (result == ERR_OK && strcmp(hash, manifest->database_sha256) != 0)
        result = cause_set(cause, ERR_CORRUPT,
                           "%s is damaged: its SHA-256 is not the one in the manifest", path);
    return result;
}

struct verify {
    const char *dir;
    int64_t pictures;
};

static enum err verify_picture(void *arg, const struct picture *picture, struct cause *cause)
{
    struct verify *verify = arg;
    char name[PICTURE_PATH_SIZE], path[PATH_MAX];
    picture_path(picture->id, name);
    verify->pictures++;
    enum err result = transfer_path(path, verify->dir, name, cause);
    return result == ERR_OK ? transfer_check_picture(path, picture, cause) : result;
}

enum err transfer_verify(const char *dir, transfer_progress_fn *progress, void *arg,
                         struct cause *cause)
{
    struct manifest manifest;
    struct verify verify = {.dir = dir};
    struct sqlite3 *db = NULL;
    enum err result = read_manifest(dir, &manifest, cause);
    if (result == ERR_OK)
        result = check_database(dir, &manifest, cause);
    if (result == ERR_OK)
        result = open_database(dir, &db, cause);
    if (result == ERR_OK)
        result = store_quick_check(db, cause);
    if (result == ERR_OK)
        result = transfer_each_picture(db, verify_picture, &verify, progress, arg, cause);
    if (result == ERR_OK && verify.pictures != manifest.pictures)
        result =
            cause_set(cause, ERR_CORRUPT, "the manifest counts %lld pictures and the database %lld",
                      (long long)manifest.pictures, (long long)verify.pictures);
    sqlite3_close(db);
    return result;
}

struct restore {
    const char *dir, *data_dir;
};

struct restore_paths {
    char from[PATH_MAX], temporary[PATH_MAX], to[PATH_MAX];
};

static enum err make_paths(const struct restore *restore, const struct picture *picture,
                           struct restore_paths *out, struct cause *cause)
{
    char name[PICTURE_PATH_SIZE];
    picture_path(picture->id, name);
    enum err result = transfer_path(out->from, restore->dir, name, cause);
    if (result == ERR_OK)
        result = transfer_path(out->to, restore->data_dir, name, cause);
    snprintf(name, sizeof name, "pictures/tmp/%s", picture->id);
    return result == ERR_OK ? transfer_path(out->temporary, restore->data_dir, name, cause)
                            : result;
}

/* One that is there with the same bytes is left; with others it is not touched. */
static enum err fetch_picture(void *arg, const struct picture *picture, struct cause *cause)
{
    struct restore_paths paths;
    struct stat found;
    enum err result = make_paths(arg, picture, &paths, cause);
    if (result != ERR_OK)
        return result;
    if (lstat(paths.to, &found) == 0) {
        result = transfer_check_picture(paths.to, picture, NULL);
        return result == ERR_CORRUPT
                   ? cause_set(cause, ERR_CONFLICT,
                               "%s is there with other bytes: move it away and restore again",
                               paths.to)
                   : result;
    }
    unlink(paths.temporary);
    result = folder_copy_file(paths.from, paths.temporary, cause);
    return result == ERR_OK ? transfer_check_picture(paths.temporary, picture, cause) : result;
}

static enum err settle_picture(void *arg, const struct picture *picture, struct cause *cause)
{
    struct restore_paths paths;
    enum err result = make_paths(arg, picture, &paths, cause);
    if (result != ERR_OK)
        return result;
    char *last = strrchr(paths.to, '/');
    *last = '\0';
    result = folder_make(paths.to, cause);
    *last = '/';
    if (result == ERR_OK && rename(paths.temporary, paths.to) != 0 && errno != ENOENT)
        result =
            cause_set(cause, folder_err(errno), "%s can't be made: %s", paths.to, strerror(errno));
    return result;
}

static enum err drop_picture(void *arg, const struct picture *picture, struct cause *cause)
{
    struct restore_paths paths;
    if (make_paths(arg, picture, &paths, cause) == ERR_OK)
        unlink(paths.temporary);
    return ERR_OK;
}

static enum err make_folders(const char *data_dir, struct cause *cause)
{
    char path[PATH_MAX];
    enum err result = folder_make(data_dir, cause);
    if (result == ERR_OK)
        result = transfer_path(path, data_dir, "pictures", cause);
    if (result == ERR_OK)
        result = folder_make(path, cause);
    if (result == ERR_OK)
        result = transfer_path(path, data_dir, "pictures/tmp", cause);
    return result == ERR_OK ? folder_make(path, cause) : result;
}

enum err transfer_restore_pictures(const char *dir, const char *data_dir,
                                   transfer_progress_fn *progress, void *arg, struct cause *cause)
{
    struct restore restore = {.dir = dir, .data_dir = data_dir};
    struct sqlite3 *db = NULL;
    enum err result = make_folders(data_dir, cause);
    if (result == ERR_OK)
        result = refuse_side_files(dir, cause);
    if (result == ERR_OK)
        result = open_database(dir, &db, cause);
    if (result != ERR_OK)
        return result;
    result = transfer_each_picture(db, fetch_picture, &restore, progress, arg, cause);
    if (result == ERR_OK)
        result = transfer_sync_all(data_dir, cause);
    if (result == ERR_OK)
        result = transfer_each_picture(db, settle_picture, &restore, NULL, NULL, cause);
    if (result == ERR_OK)
        result = transfer_sync_all(data_dir, cause);
    else
        transfer_each_picture(db, drop_picture, &restore, NULL, NULL, NULL);
    sqlite3_close(db);
    return result;
}

static enum err refuse_database(const char *data_dir, struct cause *cause)
{
    static const char *const names[] = {STORE_FILE, STORE_FILE "-wal", STORE_FILE "-journal"};
    char path[PATH_MAX];
    struct stat found;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum err result = transfer_path(path, data_dir, names[i], cause);
        if (result != ERR_OK)
            return result;
        if (lstat(path, &found) == 0)
            return cause_set(cause, ERR_CONFLICT, "%s is there: it is not overwritten", path);
    }
    return ERR_OK;
}

static enum err copy_checked(const char *from, const char *to, struct cause *cause)
{
    struct sqlite3 *copy = NULL;
    unlink(to);
    enum err result = folder_copy_file(from, to, cause);
    if (result == ERR_OK)
        result = store_open_copy(to, &copy, cause);
    if (result == ERR_OK)
        result = store_quick_check(copy, cause);
    sqlite3_close(copy);
    return result;
}

enum err transfer_restore_database(const char *path, const char *data_dir, struct cause *cause)
{
    char unfinished[PATH_MAX], to[PATH_MAX];
    enum err result = folder_make(data_dir, cause);
    if (result == ERR_OK)
        result = refuse_database(data_dir, cause);
    if (result == ERR_OK)
        result = transfer_path(unfinished, data_dir, STORE_FILE ".new", cause);
    if (result == ERR_OK)
        result = transfer_path(to, data_dir, STORE_FILE, cause);
    if (result != ERR_OK)
        return result;
    result = copy_checked(path, unfinished, cause);
    if (result == ERR_OK)
        result = transfer_sync_all(data_dir, cause);
    if (result == ERR_OK && rename(unfinished, to) != 0)
        result = cause_set(cause, folder_err(errno), "%s can't be made: %s", to, strerror(errno));
    if (result != ERR_OK) {
        unlink(unfinished);
        return result;
    }
    return folder_sync(data_dir, cause);
}
