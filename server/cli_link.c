/* SPDX-License-Identifier: MIT
 *
 * The command line's end of the owner's socket (server/control.h): one line there, one line back.
 */
#include "server/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/json.h"
#include "server/control.h"

static int open_socket(const char *data_dir)
{
    int folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[CONTROL_PATH_SIZE];
    if (fd >= 0) {
        control_path(folder, path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
            close(fd);
            fd = -1;
        }
    }
    if (folder >= 0)
        close(folder);
    return fd;
}

/* A server that stands still must not hold the command line for ever; loading a large state may
 * take its time. */
#define ANSWER_S 300

static enum err talk(int fd, const char *request, struct buf *answer)
{
    size_t len = strlen(request);
    for (size_t sent = 0; sent < len;) {
        ssize_t count = send(fd, request + sent, len - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            return ERR_IO;
        sent += count > 0 ? (size_t)count : 0;
    }
    for (;;) {
        char piece[4096];
        ssize_t count = recv(fd, piece, sizeof piece, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return ERR_TIMEOUT;
        if (count <= 0)
            return ERR_IO;
        buf_add(answer, piece, (size_t)count);
        if (memchr(piece, '\n', (size_t)count))
            return buf_error(answer);
    }
}

enum err cli_ask_server(const char *data_dir, const char *request, struct json **answer, int *keep,
                        struct cause *cause)
{
    int fd = open_socket(data_dir);
    if (fd < 0)
        return cause_set(cause, ERR_IO,
                         "%s is in use, but its server does not answer on %s/control.sock: %s. Is "
                         "another command running, or the server just starting?",
                         data_dir, data_dir, strerror(errno));
    struct buf text;
    struct json *json = NULL;
    struct timeval patience = {.tv_sec = strstr(request, "\"path\"") ? ANSWER_S : ANSWER_S / 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    buf_init(&text, 1u << 20);
    enum err err = talk(fd, request, &text);
    if (!err)
        err = json_parse(text.data, text.len - 1, &json_limits_wire, &json, NULL);
    if (err == ERR_TIMEOUT)
        cause_set(cause, err, "the server did not answer in %d s: does it stand still?",
                  (int)patience.tv_sec);
    else if (err)
        cause_set(cause, err, "the server ended the talk without an answer: see its log");
    const char *error = json_str(json_get(json, "error"));
    if (!err && error)
        err = cause_set(cause, ERR_CONFLICT, "%s", error);
    if (err) {
        json_free(json);
        json = NULL;
    }
    buf_free(&text);
    if (!err && keep)
        *keep = fd;
    else
        close(fd);
    if (!err && answer)
        *answer = json;
    else
        json_free(json);
    return err;
}
