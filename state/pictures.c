/* SPDX-License-Identifier: MIT
 *
 * The folder of the pictures and the file thread: made, ended, and the small jobs on whole files
 * (open, remove). Uploads, the sweep and the retention have files of their own. It never looks into
 * a picture.
 */
#include "state/pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/log.h"
#include "state/folder.h"
#include "state/picture_priv.h"

bool picture_id_is_valid(const char *id)
{
    return strspn(id, "0123456789abcdef") == SECRET_ID_SIZE - 1 && id[SECRET_ID_SIZE - 1] == '\0';
}

void picture_path(const char *id, char out[static PICTURE_PATH_SIZE])
{
    snprintf(out, PICTURE_PATH_SIZE, "pictures/%.2s/%.32s", id, id);
}

void pictures_temporary_path(const struct pictures *pictures, const char *id, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/tmp/%.32s", pictures->folder, id);
}

void pictures_final_path(const struct pictures *pictures, const char *id, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%.2s/%.32s", pictures->folder, id, id);
}

void pictures_ref(struct pictures *pictures)
{
    pictures->refs++;
}

static void free_deferred(struct pictures *pictures)
{
    while (pictures->deferred != NULL) {
        struct picture_removal *removal = pictures->deferred;
        pictures->deferred = removal->next;
        free(removal);
    }
}

void pictures_unref(struct pictures *pictures)
{
    if (--pictures->refs > 0)
        return;
    free_deferred(pictures);
    free(pictures->folder);
    free(pictures);
}

enum err pictures_run(struct pictures *pictures, worker_job_fn *job, void *arg)
{
    return pictures->worker == NULL ? ERR_STOPPING : worker_post(pictures->worker, job, arg);
}

static enum err make_folders(const struct pictures *pictures, const char *data_dir,
                             struct cause *cause)
{
    char temporary[PATH_MAX];
    snprintf(temporary, sizeof temporary, "%s/tmp", pictures->folder);
    enum err result = folder_make(data_dir, cause);
    if (result == ERR_OK)
        result = folder_make(pictures->folder, cause);
    if (result == ERR_OK)
        result = folder_make(temporary, cause);
    if (result == ERR_OK)
        result = folder_sync(data_dir, cause);
    return result;
}

enum err pictures_new(const struct pictures_options *options, struct pictures **out,
                      struct cause *cause)
{
    if (strlen(options->data_dir) > PATH_MAX - 2 * PICTURE_PATH_SIZE)
        return cause_set(cause, ERR_IO, "the name of the data folder is too long");
    struct pictures *pictures = calloc(1, sizeof *pictures);
    if (pictures == NULL || asprintf(&pictures->folder, "%s/pictures", options->data_dir) < 0) {
        free(pictures);
        return cause_set(cause, ERR_NO_MEMORY, "there is no memory for the pictures");
    }
    pictures->refs = 1;
    pictures->post = options->post;
    pictures->max_bytes = options->max_bytes;
    pictures->keep_bytes = options->keep_bytes;
    pictures->keep_ms = options->keep_ms;
    while (pictures->frame_count < 16 && options->raw_frames[pictures->frame_count].width > 0) {
        pictures->raw_frames[pictures->frame_count] = options->raw_frames[pictures->frame_count];
        pictures->frame_count++;
    }
    enum err result = make_folders(pictures, options->data_dir, cause);
    if (result == ERR_OK)
        result = worker_new("gh-files", &pictures->worker, cause);
    if (result != ERR_OK) {
        pictures_unref(pictures);
        return result;
    }
    *out = pictures;
    return ERR_OK;
}

void pictures_free(struct pictures *pictures)
{
    if (pictures == NULL)
        return;
    struct worker *worker = pictures->worker;
    pictures->worker = NULL;
    worker_free(worker);
    pictures_unref(pictures);
}

struct opening {
    struct pictures *pictures;
    picture_opened_fn *done;
    void *arg;
    char id[SECRET_ID_SIZE];
    int fd;
    int64_t bytes;
    enum err result;
};

static void opened_on_loop(void *arg)
{
    struct opening *opening = arg;
    pictures_unref(opening->pictures);
    opening->done(opening->arg, opening->fd, opening->bytes, opening->result);
    free(opening);
}

static void open_on_file_thread(void *arg)
{
    struct opening *opening = arg;
    char path[PATH_MAX];
    pictures_final_path(opening->pictures, opening->id, path);
    struct stat found;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    opening->result = fd >= 0 ? ERR_OK : errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
        close(fd);
        fd = -1;
        opening->result = ERR_IO;
    }
    opening->fd = fd;
    opening->bytes = fd >= 0 ? (int64_t)found.st_size : 0;
    if (opening->result == ERR_IO)
        log_warn("pictures", "%s can't be opened: %s", path, strerror(errno));
    post_send(&opening->pictures->post, opened_on_loop, opening);
}

void pictures_open(struct pictures *pictures, const char *id, picture_opened_fn *done, void *arg)
{
    struct opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL) {
        done(arg, -1, 0, ERR_NO_MEMORY);
        return;
    }
    opening->pictures = pictures;
    opening->done = done;
    opening->arg = arg;
    opening->fd = -1;
    pictures_ref(pictures);
    enum err queued = ERR_NOT_FOUND;
    if (picture_id_is_valid(id)) {
        memcpy(opening->id, id, sizeof opening->id);
        queued = pictures_run(pictures, open_on_file_thread, opening);
    }
    if (queued == ERR_OK)
        return; /* the file thread's from here on */
    opening->result = queued;
    post_send(&pictures->post, opened_on_loop, opening);
}

static void remove_on_file_thread(void *arg)
{
    struct picture_removal *removal = arg;
    if (unlink(removal->path) != 0 && errno != ENOENT)
        log_warn("pictures", "%s can't be removed: %s", removal->path, strerror(errno));
    free(removal);
}

/* A removal that can't be queued is not lost: the next start's sweep finds a file without a row. */
static void queue_removal(struct pictures *pictures, struct picture_removal *removal)
{
    if (pictures_run(pictures, remove_on_file_thread, removal) != ERR_OK)
        free(removal);
}

void pictures_remove(struct pictures *pictures, const char *id)
{
    if (!picture_id_is_valid(id))
        return;
    char path[PATH_MAX];
    pictures_final_path(pictures, id, path);
    struct picture_removal *removal = malloc(sizeof *removal + strlen(path) + 1);
    if (removal == NULL)
        return;
    memcpy(removal->path, path, strlen(path) + 1);
    if (pictures->held > 0) {
        removal->next = pictures->deferred;
        pictures->deferred = removal;
        return;
    }
    queue_removal(pictures, removal);
}

void pictures_hold(struct pictures *pictures, bool hold)
{
    if (hold) {
        pictures->held++;
        return;
    }
    if (pictures->held > 0 && --pictures->held > 0)
        return;
    while (pictures->deferred != NULL) {
        struct picture_removal *removal = pictures->deferred;
        pictures->deferred = removal->next;
        queue_removal(pictures, removal);
    }
}
