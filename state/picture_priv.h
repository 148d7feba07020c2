/* SPDX-License-Identifier: MIT
 *
 * What the files of the pictures module share. Nobody else includes it.
 *
 * Threads: `struct pictures` belongs to the loop; the file thread reads only what never changes
 * after pictures_new(). An upload is touched by one thread at a time: by the file thread between a
 * job's start and its post back, else by the loop.
 */
#ifndef STATE_PICTURE_PRIV_H
#define STATE_PICTURE_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/base/err.h"
#include "server/base/post.h"
#include "server/base/worker.h"
#include "state/pictures.h"

struct picture_removal {
    struct picture_removal *next;
    char path[]; /* of the file that is to go */
};

struct pictures {
    char *folder;         /* DATA_DIR/pictures */
    struct post post;     /* back to the loop */
    int64_t max_bytes;    /* of one picture */
    int64_t keep_bytes;   /* 0: no limit */
    int64_t keep_ms;      /* 0: no limit */
    unsigned frame_count; /* of raw_frames */
    struct raw_frame raw_frames[16];
    struct worker *worker;            /* NULL once pictures_free() was called */
    int refs;                         /* the owner, and whatever is on its way */
    int held;                         /* backups that are running */
    bool retaining;                   /* one run at a time */
    struct picture_removal *deferred; /* removals asked for while held */
};

void pictures_ref(struct pictures *pictures);
void pictures_unref(struct pictures *pictures);
/* Queues a job for the file thread; ERR_STOPPING after pictures_free(). */
enum err pictures_run(struct pictures *pictures, worker_job_fn *job, void *arg);
/* FOLDER/tmp/ID and FOLDER/ab/ID. */
void pictures_temporary_path(const struct pictures *pictures, const char *id, char out[PATH_MAX]);
void pictures_final_path(const struct pictures *pictures, const char *id, char out[PATH_MAX]);

/* 32 hexadecimal digits in lower case, as secret_new_id() makes them: nothing else may become a
 * path. */
bool picture_id_is_valid(const char *id);

/* picture_judge() over a file of `len` bytes, through a window of 64 KB; also ERR_IO and
 * ERR_NO_MEMORY. */
enum err picture_judge_file(int fd, int64_t len, char type[static 16], int64_t *width,
                            int64_t *height);
/* Reads a raw BGR frame from the start of `in` and writes it as a JPEG to `out`; neither descriptor
 * is closed. ERR_DISK_FULL, ERR_IO or ERR_NO_MEMORY with a cause. */
enum err picture_frame_to_jpeg(int in, const struct raw_frame *frame, int out, struct cause *cause);

#endif
