/* SPDX-License-Identifier: MIT
 *
 * The sweep at the start: makes the files and the rows of the pictures the same set again after a
 * crash. Rows and folders are both read in the order of their names and compared side by side, so
 * it holds one folder's names at a time. It never reads a picture.
 */
#include "state/pictures.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "server/base/log.h"
#include "state/picture_priv.h"
#include "state/store_priv.h"

/* When not one of more rows than this has its file, the folder is more likely not mounted than
 * emptied: then the rows stay, or the next sweep would take the files for leftovers. */
#define ROWS_WITHOUT_A_FOLDER 16

struct id_list {
    char (*ids)[SECRET_ID_SIZE];
    size_t count, cap;
};

struct sweep {
    struct pictures *pictures;
    struct picture_sweep *counts;
    struct cause *cause;
    enum err result;
    sem_t done;
    struct sqlite3_stmt *rows; /* ids of all rows, ascending */
    const char *row;           /* the id it stands on; NULL behind the last */
    size_t matched;            /* rows that have their file */
    struct id_list missing;    /* rows that have none */
};

static enum err add_id(struct id_list *list, const char *id)
{
    if (list->count == list->cap) {
        size_t cap = list->cap > 0 ? 2 * list->cap : 64;
        void *ids = realloc(list->ids, cap * sizeof *list->ids);
        if (ids == NULL)
            return ERR_NO_MEMORY;
        list->ids = ids;
        list->cap = cap;
    }
    text_copy(list->ids[list->count++], SECRET_ID_SIZE, id, strlen(id));
    return ERR_OK;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The pictures' names in a folder, sorted; none when there is no such folder. Other names are
 * left alone: nobody here made them. */
static enum err list_folder(const char *path, const char *prefix, struct id_list *out,
                            struct cause *cause)
{
    DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOENT)
        return ERR_OK;
    if (folder == NULL)
        return cause_set(cause, ERR_IO, "the folder %s can't be read: %s", path, strerror(errno));
    enum err result = ERR_OK;
    struct dirent *entry;
    errno = 0;
    while (result == ERR_OK && (entry = readdir(folder)) != NULL)
        if (picture_id_is_valid(entry->d_name) && strncmp(entry->d_name, prefix, 2) == 0)
            result = add_id(out, entry->d_name);
    if (result == ERR_OK && errno != 0)
        result = cause_set(cause, ERR_IO, "the folder %s can't be read: %s", path, strerror(errno));
    closedir(folder);
    if (out->count > 0)
        qsort(out->ids, out->count, sizeof *out->ids, compare_ids);
    return result;
}

static enum err next_row(struct sweep *sweep)
{
    sweep->row = NULL;
    int step = sqlite3_step(sweep->rows);
    if (step == SQLITE_ROW) {
        const unsigned char *id = sqlite3_column_text(sweep->rows, 0);
        if (id == NULL)
            return ERR_NO_MEMORY;
        sweep->row = (const char *)id;
        return ERR_OK;
    }
    return step == SQLITE_DONE ? ERR_OK
                               : store_db_error(sqlite3_db_handle(sweep->rows),
                                                "reading the pictures' rows", sweep->cause);
}

static void remove_file(const char *path, size_t *count)
{
    if (unlink(path) == 0)
        (*count)++;
    else
        log_warn("pictures", "%s can't be removed: %s", path, strerror(errno));
}

/* Rows before `bound` (NULL: all that are left) against the names of one folder. */
static enum err compare(struct sweep *sweep, const struct id_list *files, const char *bound)
{
    size_t i = 0;
    enum err result = ERR_OK;
    while (result == ERR_OK &&
           (i < files->count ||
            (sweep->row != NULL && (bound == NULL || strcmp(sweep->row, bound) < 0)))) {
        int order = i == files->count    ? 1
                    : sweep->row == NULL ? -1
                                         : strcmp(files->ids[i], sweep->row);
        if (order < 0) {
            char path[PATH_MAX];
            pictures_final_path(sweep->pictures, files->ids[i++], path);
            remove_file(path, &sweep->counts->without_row);
            continue;
        }
        if (order > 0) {
            result = add_id(&sweep->missing, sweep->row);
        } else {
            sweep->matched++;
            i++;
        }
        if (result == ERR_OK)
            result = next_row(sweep);
    }
    return result;
}

static enum err sweep_folders(struct sweep *sweep)
{
    enum err result = next_row(sweep);
    for (unsigned prefix = 0; result == ERR_OK && prefix < 256; prefix++) {
        char name[4], bound[4], path[PATH_MAX];
        struct id_list files = {0};
        snprintf(name, sizeof name, "%02x", prefix);
        snprintf(bound, sizeof bound, "%02x", prefix + 1);
        snprintf(path, sizeof path, "%s/%s", sweep->pictures->folder, name);
        result = list_folder(path, name, &files, sweep->cause);
        if (result == ERR_OK)
            result = compare(sweep, &files, prefix == 255 ? NULL : bound);
        free(files.ids);
    }
    return result;
}

static enum err sweep_temporary(struct sweep *sweep)
{
    char path[PATH_MAX], file[PATH_MAX];
    snprintf(path, sizeof path, "%s/tmp", sweep->pictures->folder);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return cause_set(sweep->cause, ERR_IO, "the folder %s can't be read: %s", path,
                         strerror(errno));
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file)
            remove_file(file, &sweep->counts->temporary);
    }
    closedir(folder);
    return ERR_OK;
}

/* On the query thread, whose connection reads the rows; the starting thread waits for it. */
static void sweep_on_query_thread(void *arg, struct sqlite3 *db)
{
    struct sweep *sweep = arg;
    sweep->result = sweep_temporary(sweep);
    if (sweep->result == ERR_OK && sqlite3_prepare_v2(db, "SELECT id FROM pictures ORDER BY id", -1,
                                                      &sweep->rows, NULL) != SQLITE_OK)
        sweep->result = store_db_error(db, "reading the pictures' rows", sweep->cause);
    if (sweep->result == ERR_OK)
        sweep->result = sweep_folders(sweep);
    sqlite3_finalize(sweep->rows);
    sem_post(&sweep->done);
}

static enum err delete_rows(const struct id_list *missing, struct turn *turn, size_t *count)
{
    enum err result = ERR_OK;
    for (size_t i = 0; result == ERR_OK && i < missing->count; i++) {
        struct picture picture = {0};
        memcpy(picture.id, missing->ids[i], sizeof picture.id);
        result = turn_del(turn, REC_PICTURE, &picture);
        *count += result == ERR_OK;
    }
    turn_end(turn);
    return result;
}

enum err pictures_sweep(struct pictures *pictures, struct store *store, struct turn *turn,
                        struct picture_sweep *counts, struct cause *cause)
{
    struct sweep sweep = {.pictures = pictures, .counts = counts, .cause = cause};
    memset(counts, 0, sizeof *counts);
    sem_init(&sweep.done, 0, 0);
    enum err result = store_on_query_thread(store, sweep_on_query_thread, &sweep);
    if (result == ERR_OK) {
        while (sem_wait(&sweep.done) != 0)
            ;
        result = sweep.result;
    }
    if (result == ERR_OK && sweep.matched == 0 && sweep.missing.count > ROWS_WITHOUT_A_FOLDER)
        log_warn("pictures",
                 "none of the %zu pictures is in %s: is the folder mounted? their rows stay",
                 sweep.missing.count, pictures->folder);
    else if (result == ERR_OK && sweep.missing.count > 0)
        result = delete_rows(&sweep.missing, turn, &counts->without_file);
    free(sweep.missing.ids);
    sem_destroy(&sweep.done);
    return result;
}
