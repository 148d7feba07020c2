/* SPDX-License-Identifier: MIT
 *
 * Pictures as files: written in pieces to a temporary name on the file thread as they come, judged,
 * synced and renamed to DATA_DIR/pictures/ab/abcd... (the picture's id). Nothing of a picture is
 * collected in memory but a raw frame while it becomes a JPEG. A file is there before its row is
 * committed and gone after its row is: what a crash leaves between is swept at the next start.
 */
#ifndef STATE_PICTURES_H
#define STATE_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/post.h"
#include "state/records.h"
#include "state/store.h"
#include "state/turn.h"

struct pictures;
struct picture_upload;

struct raw_frame {
    unsigned width, height;
};

struct pictures_options {
    const char *data_dir;
    struct post post;
    int64_t max_bytes;               /* of one picture */
    struct raw_frame raw_frames[16]; /* ends at width 0 */
    int64_t keep_bytes;              /* retention; 0: no limit */
    int64_t keep_ms;                 /* retention; 0: no limit */
};

/* Makes the folders and starts the file thread. */
enum err pictures_new(const struct pictures_options *options, struct pictures **out,
                      struct cause *cause);
void pictures_free(struct pictures *pictures);

/* One upload. begin: cheap, no disk. write: copies the piece and hands it to the file thread;
 * `done` (on the loop) says it is written, and the caller sends nothing more before that, so an
 * upload holds one piece in memory. finish: judges, syncs, renames; `done` gets a picture record
 * with id, type, sha256, width, height and bytes set, or ERR_UNSUPPORTED (no JPEG, PNG or raw
 * frame; empty), ERR_TOO_LARGE, ERR_DISK_FULL, ERR_IO. abort: at any time instead of finish, also
 * while a write is on its way; frees. */
enum err picture_upload_begin(struct pictures *pictures, struct picture_upload **out);
typedef void picture_written_fn(void *arg, enum err result);
void picture_upload_write(struct picture_upload *upload, const void *bytes, size_t len,
                          picture_written_fn *done, void *arg);
typedef void picture_stored_fn(void *arg, const struct picture *picture, enum err result);
void picture_upload_finish(struct picture_upload *upload, picture_stored_fn *done, void *arg);
void picture_upload_abort(struct picture_upload *upload);

/* Opens a stored picture for reading; the descriptor is the receiver's; -1 with ERR_NOT_FOUND or
 * ERR_IO. */
typedef void picture_opened_fn(void *arg, int fd, int64_t bytes, enum err result);
void pictures_open(struct pictures *pictures, const char *id, picture_opened_fn *done, void *arg);
/* Removes the file of a picture whose row is gone. */
void pictures_remove(struct pictures *pictures, const char *id);
/* Where the file is, below data_dir: "pictures/ab/abcd...". `out` has PICTURE_PATH_SIZE bytes. */
#define PICTURE_PATH_SIZE 64
void picture_path(const char *id, char out[static PICTURE_PATH_SIZE]);

/* At the start, before the loop: removes temporary files and files without a row, and through
 * `turn` rows without a file. Counts what it did. */
struct picture_sweep {
    size_t temporary, without_row, without_file;
};
enum err pictures_sweep(struct pictures *pictures, struct store *store, struct turn *turn,
                        struct picture_sweep *counts, struct cause *cause);
/* What is over the limits goes, oldest first, and the log says so; call it each minute and after
 * each upload. */
void pictures_retain(struct pictures *pictures, struct store *store, struct turn *turn,
                     int64_t now_at);
/* While held (a backup is running) no file is removed. Counts. */
void pictures_hold(struct pictures *pictures, bool hold);

/* Pure: what kind of picture these bytes are. A JPEG has SOI, a frame header (SOFn, ITU T.81 B.2.2)
 * with sizes from 1 to 65535; a PNG its signature and an IHDR with the same bounds (RFC 2083).
 * ERR_UNSUPPORTED otherwise. */
enum err picture_judge(const void *bytes, size_t len, char type[static 16], int64_t *width,
                       int64_t *height);

#endif
