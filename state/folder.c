/* SPDX-License-Identifier: MIT
 *
 * The data folder as a folder: made, locked, synced, copied from. It knows nothing of what lies in
 * it.
 */
#include "state/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum err folder_err(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? ERR_DISK_FULL : ERR_IO;
}

enum err folder_make(const char *path, struct cause *cause)
{
    if (mkdir(path, 0700) == 0)
        return ERR_OK;
    int error = errno;
    struct stat found;
    if (error == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return ERR_OK;
    return cause_set(cause, folder_err(error), "the folder %s can't be made: %s", path,
                     error == EEXIST   ? "there is something else of that name"
                     : error == ENOENT ? "the folder that it is to be in is missing"
                                       : strerror(error));
}

enum err folder_sync(const char *path, struct cause *cause)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return ERR_OK;
    return cause_set(cause, folder_err(error), "the folder %s can't be synced: %s", path,
                     strerror(error));
}

/* Returns 0 or an errno. */
static int copy_bytes(int from, int to)
{
    char piece[65536];
    for (;;) {
        ssize_t got = read(from, piece, sizeof piece);
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, piece + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                return errno;
            if (put > 0)
                done += put;
        }
    }
}

enum err folder_copy_file(const char *from, const char *to, struct cause *cause)
{
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return cause_set(cause, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s can't be read: %s",
                         from, strerror(errno));
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0) {
        int error = errno;
        close(in);
        return cause_set(cause, error == EEXIST ? ERR_CONFLICT : folder_err(error),
                         "%s can't be made: %s", to, strerror(error));
    }
    int error = copy_bytes(in, out);
    close(in);
    if (close(out) != 0 && error == 0)
        error = errno;
    if (error == 0)
        return ERR_OK;
    unlink(to);
    return cause_set(cause, folder_err(error), "%s can't be copied to %s: %s", from, to,
                     strerror(error));
}

/* Whose lock it is, as text for the message: the holder wrote its process id into the file. */
static void read_holder(int fd, char *out, size_t size)
{
    char text[24];
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    long pid = strtol(text, NULL, 10);
    out[0] = '\0';
    if (pid > 0)
        snprintf(out, size, " (process %ld)", pid);
}

/* Only a help for people: the lock is the flock, so a failure here changes nothing. The number is
 * followed by blanks to cover a longer one that was there. */
static void write_holder(int fd)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
    ssize_t put = pwrite(fd, text, (size_t)len, 0);
    (void)put;
}

enum err folder_lock(const char *data_dir, int *fd, struct cause *cause)
{
    *fd = -1;
    struct cause why;
    enum err made = folder_make(data_dir, &why);
    if (made != ERR_OK)
        return cause_set(cause, made, "%s; data_dir must be a folder that this user may write to",
                         why.text);
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", data_dir) >= (int)sizeof path)
        return cause_set(cause, ERR_IO, "the name of the data folder is too long");
    /* O_CLOEXEC: the broker, a child, must not hold the lock after the server's end. */
    int lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        return cause_set(cause, folder_err(errno),
                         "%s can't be opened: %s; data_dir must be a folder that this user may "
                         "write to",
                         path, strerror(errno));
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        char holder[48];
        read_holder(lock, holder, sizeof holder);
        close(lock);
        if (error == EWOULDBLOCK)
            return cause_set(cause, ERR_CONFLICT,
                             "the data folder %s is in use by another gatehouse%s", data_dir,
                             holder);
        return cause_set(cause, ERR_IO, "%s can't be locked: %s", path, strerror(error));
    }
    write_holder(lock);
    *fd = lock;
    return ERR_OK;
}
