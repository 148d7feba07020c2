/* SPDX-License-Identifier: MIT
 *
 * One upload: pieces come on the loop, are written on the file thread to a temporary name, and at
 * the end judged there, synced and renamed to the picture's own name. A stalled upload is one
 * descriptor and this struct. It knows neither HTTP nor whom the picture belongs to.
 *
 *   begin -> write, written, write, written ... -> finish, stored      (the struct is gone)
 *                     \-> abort, also before `written` came            (the struct is gone)
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

struct picture_upload {
    struct pictures *pictures;
    char *path;      /* of the temporary file; owned */
    int fd;          /* -1 until the first piece is written: most refusals come before that */
    int64_t bytes;   /* handed in so far */
    enum err failed; /* the first failure; it stays */
    bool busy;       /* a job is under way, its post not yet back */
    bool aborted;    /* nobody waits any more; loop only */
    void *piece;     /* owned by the job under way */
    size_t piece_len;
    picture_written_fn *written;
    picture_stored_fn *stored;
    void *arg;
    struct picture record; /* what finish found out */
};

enum err picture_upload_begin(struct pictures *pictures, struct picture_upload **out)
{
    struct picture_upload *upload = calloc(1, sizeof *upload);
    char path[PATH_MAX];
    if (upload == NULL)
        return ERR_NO_MEMORY;
    secret_new_id(upload->record.id);
    pictures_temporary_path(pictures, upload->record.id, path);
    upload->path = strdup(path);
    if (upload->path == NULL) {
        free(upload);
        return ERR_NO_MEMORY;
    }
    upload->fd = -1;
    upload->pictures = pictures;
    pictures_ref(pictures);
    *out = upload;
    return ERR_OK;
}

/* Closes and removes the temporary file and frees the struct; any thread. The owner's reference is
 * given back before. */
static void discard(void *arg)
{
    struct picture_upload *upload = arg;
    if (upload->fd >= 0) {
        close(upload->fd);
        unlink(upload->path);
    }
    free(upload->path);
    free(upload);
}

/* On the loop: the same, but with the disk's part on the file thread while there is one. */
static void let_go(struct picture_upload *upload)
{
    struct pictures *pictures = upload->pictures;
    if (upload->fd < 0 || pictures_run(pictures, discard, upload) != ERR_OK)
        discard(upload);
    pictures_unref(pictures);
}

static void fail(struct picture_upload *upload, int error, const char *doing)
{
    upload->failed = folder_err(error);
    log_warn("pictures", "an upload failed, %s %s: %s", doing, upload->path, strerror(error));
}

static void written_on_loop(void *arg)
{
    struct picture_upload *upload = arg;
    upload->busy = false;
    if (upload->aborted)
        let_go(upload);
    else
        upload->written(upload->arg, upload->failed);
}

static void write_piece(struct picture_upload *upload)
{
    if (upload->fd < 0)
        upload->fd = open(upload->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        fail(upload, errno, "making");
        return;
    }
    const char *bytes = upload->piece;
    for (size_t done = 0; done < upload->piece_len;) {
        ssize_t put = write(upload->fd, bytes + done, upload->piece_len - done);
        if (put < 0 && errno != EINTR) {
            fail(upload, errno, "writing");
            return;
        }
        if (put > 0)
            done += (size_t)put;
    }
}

static void write_on_file_thread(void *arg)
{
    struct picture_upload *upload = arg;
    write_piece(upload);
    free(upload->piece);
    upload->piece = NULL;
    post_send(&upload->pictures->post, written_on_loop, upload);
}

void picture_upload_write(struct picture_upload *upload, const void *bytes, size_t len,
                          picture_written_fn *done, void *arg)
{
    struct pictures *pictures = upload->pictures;
    upload->written = done;
    upload->arg = arg;
    upload->busy = true;
    if (upload->failed == ERR_OK && (int64_t)len > pictures->max_bytes - upload->bytes)
        upload->failed = ERR_TOO_LARGE;
    if (upload->failed == ERR_OK && len > 0) {
        upload->bytes += (int64_t)len;
        upload->piece_len = len;
        upload->piece = malloc(len);
        if (upload->piece == NULL) {
            upload->failed = ERR_NO_MEMORY;
        } else {
            memcpy(upload->piece, bytes, len);
            /* Once it is queued the upload is the file thread's: not even `failed` is touched. */
            enum err queued = pictures_run(pictures, write_on_file_thread, upload);
            if (queued == ERR_OK)
                return;
            free(upload->piece);
            upload->piece = NULL;
            upload->failed = queued;
        }
    }
    post_send(&pictures->post, written_on_loop, upload);
}

/* Puts the JPEG made of a raw frame in the place of the frame's own file. The frame's file is
 * unlinked first and lives on behind its descriptor, so that the name is free. */
static enum err become_jpeg(struct picture_upload *upload, const struct raw_frame *frame)
{
    struct cause cause;
    int raw = upload->fd;
    unlink(upload->path);
    upload->fd = open(upload->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        int error = errno;
        close(raw);
        fail(upload, error, "making");
        return upload->failed;
    }
    enum err result = picture_frame_to_jpeg(raw, frame, upload->fd, &cause);
    close(raw);
    if (result != ERR_OK)
        log_warn("pictures", "%s", cause.text);
    struct picture *record = &upload->record;
    text_copy(record->type, sizeof record->type, "image/jpeg", strlen("image/jpeg"));
    record->width = frame->width;
    record->height = frame->height;
    return result;
}

/* A JPEG or PNG as it is, else a raw frame of exactly one of the known sizes. */
static enum err judge(struct picture_upload *upload)
{
    struct picture *record = &upload->record;
    if (upload->fd < 0)
        return ERR_UNSUPPORTED;
    enum err result = picture_judge_file(upload->fd, upload->bytes, record->type, &record->width,
                                         &record->height);
    if (result != ERR_UNSUPPORTED)
        return result;
    for (unsigned i = 0; i < upload->pictures->frame_count; i++) {
        const struct raw_frame *frame = &upload->pictures->raw_frames[i];
        if (upload->bytes == (int64_t)3 * frame->width * frame->height)
            return become_jpeg(upload, frame);
    }
    return ERR_UNSUPPORTED;
}

/* The file is whole on the disk under its own name, and so is that name, before a row can name it.
 * The folder above is synced too: "ab" may be new. */
static enum err settle(struct picture_upload *upload, struct cause *cause)
{
    struct pictures *pictures = upload->pictures;
    struct picture *record = &upload->record;
    struct stat found;
    char path[PATH_MAX], folder[PATH_MAX];
    pictures_final_path(pictures, record->id, path);
    snprintf(folder, sizeof folder, "%s/%.2s", pictures->folder, record->id);
    if (fsync(upload->fd) != 0 || fstat(upload->fd, &found) != 0)
        return cause_set(cause, folder_err(errno), "%s can't be synced: %s", upload->path,
                         strerror(errno));
    record->bytes = found.st_size;
    enum err result = secret_sha256_file(upload->path, record->sha256, cause);
    if (result == ERR_OK)
        result = folder_make(folder, cause);
    if (result != ERR_OK)
        return result;
    if (rename(upload->path, path) != 0)
        return cause_set(cause, folder_err(errno), "%s can't be made: %s", path, strerror(errno));
    result = folder_sync(folder, cause);
    if (result == ERR_OK)
        result = folder_sync(pictures->folder, cause);
    if (result != ERR_OK)
        unlink(path);
    return result;
}

static void stored_on_loop(void *arg)
{
    struct picture_upload *upload = arg;
    if (!upload->aborted)
        upload->stored(upload->arg, upload->failed == ERR_OK ? &upload->record : NULL,
                       upload->failed);
    else if (upload->failed == ERR_OK)
        pictures_remove(upload->pictures, upload->record.id);
    let_go(upload);
}

static void finish_on_file_thread(void *arg)
{
    struct picture_upload *upload = arg;
    struct cause cause = {.text = ""};
    if (upload->failed == ERR_OK)
        upload->failed = judge(upload);
    if (upload->failed == ERR_OK) {
        upload->failed = settle(upload, &cause);
        if (upload->failed != ERR_OK)
            log_warn("pictures", "an upload failed: %s", cause.text);
    }
    if (upload->fd >= 0) {
        close(upload->fd);
        upload->fd = -1;
        if (upload->failed != ERR_OK)
            unlink(upload->path);
    }
    post_send(&upload->pictures->post, stored_on_loop, upload);
}

void picture_upload_finish(struct picture_upload *upload, picture_stored_fn *done, void *arg)
{
    upload->stored = done;
    upload->arg = arg;
    upload->busy = true;
    enum err queued = pictures_run(upload->pictures, finish_on_file_thread, upload);
    if (queued == ERR_OK)
        return;
    upload->failed = queued;
    post_send(&upload->pictures->post, stored_on_loop, upload);
}

void picture_upload_abort(struct picture_upload *upload)
{
    if (upload == NULL)
        return;
    upload->aborted = true;
    if (!upload->busy)
        let_go(upload);
}
