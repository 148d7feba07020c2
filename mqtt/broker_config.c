/* SPDX-License-Identifier: MIT
 *
 * What the embedded broker is told, where its program is, and whether its port is free.
 * mosquitto.conf(5) has no quoting: a value runs to the end of its line, so a value with a control
 * character is refused.
 */
#include "mqtt/broker_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/base/names.h"

static bool is_program(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISREG(info.st_mode) && !access(path, X_OK);
}

enum err broker_find_program(char out[static BROKER_PATH_SIZE], struct cause *cause)
{
    const char *given = getenv("GATEHOUSE_MOSQUITTO");
    if (given && *given) {
        snprintf(out, BROKER_PATH_SIZE, "%s", given);
        if (is_program(out))
            return ERR_OK;
        return cause_set(
            cause, ERR_NOT_FOUND,
            "GATEHOUSE_MOSQUITTO is %s, which is no program: unset it, or name mosquitto", given);
    }
    char places[4096];
    const char *path = getenv("PATH");
    snprintf(places, sizeof places, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin:/bin");
    for (char *save = NULL, *place = strtok_r(places, ":", &save); place;
         place = strtok_r(NULL, ":", &save)) {
        int len = snprintf(out, BROKER_PATH_SIZE, "%s/mosquitto", place);
        if (len > 0 && len < BROKER_PATH_SIZE && is_program(out))
            return ERR_OK;
    }
    return cause_set(cause, ERR_NOT_FOUND,
                     "mosquitto is not installed: apt install mosquitto, or set mqtt.broker to a "
                     "broker elsewhere (mqtt://HOST:PORT)");
}

static socklen_t fill_address(const char *listen, int port, struct sockaddr_storage *address)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    memset(address, 0, sizeof *address);
    if (strcmp(listen, "localhost") == 0)
        listen = "127.0.0.1";
    if (inet_pton(AF_INET, listen, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, listen, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        return sizeof *six;
    }
    return 0;
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

void broker_say_taken(const char *listen, int port, const char *key, char *out, size_t size)
{
    snprintf(out, size,
             "%s:%d is taken: a broker is already running there (systemctl stop mosquitto), or set "
             "%s, or set mqtt.broker to mqtt://%s:%d to use it",
             listen, port, key, listen, port);
}

enum err broker_check_port(const char *listen, int *port, const char *key, struct cause *cause)
{
    struct sockaddr_storage address;
    socklen_t len = fill_address(listen, *port, &address);
    if (!len)
        return cause_set(cause, ERR_BAD_INPUT, "mqtt.listen: %s is no address", listen);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return cause_set(cause, ERR_IO, "no socket for %s:%d: %s", listen, *port, strerror(errno));
    /* As mosquitto does: a port whose last connections are in TIME_WAIT is free. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    enum err err = ERR_OK;
    if (bind(fd, (struct sockaddr *)&address, len) == 0)
        *port = bound_port(fd);
    else if (errno == EADDRINUSE) {
        char taken[400];
        broker_say_taken(listen, *port, key, taken, sizeof taken);
        err = cause_set(cause, ERR_CONFLICT, "%s", taken);
    } else
        err = cause_set(cause, ERR_IO, "%s:%d cannot be bound: %s (see mqtt.listen and %s)", listen,
                        *port, strerror(errno), key);
    close(fd);
    return err;
}

bool broker_accepts(const char *listen, int port)
{
    struct sockaddr_storage address;
    if (strcmp(listen, "0.0.0.0") == 0)
        listen = "127.0.0.1";
    else if (strcmp(listen, "::") == 0)
        listen = "::1";
    socklen_t len = fill_address(listen, port, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    int failed = connect(fd, (struct sockaddr *)&address, len) ? errno : 0;
    if (failed == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof failed;
        if (poll(&ready, 1, 0) == 1)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    }
    close(fd);
    return failed == 0;
}

static bool is_plain(const char *value)
{
    return value && !text_has_control(value, strlen(value));
}

char *broker_config_text(const struct broker_options *options, int port)
{
    if (!is_plain(options->listen) ||
        (options->tls_port && (!is_plain(options->tls_cert) || !is_plain(options->tls_key))))
        return NULL;
    struct buf text;
    buf_init(&text, 8192);
    /* The in-flight window of 20 would let twenty slow boards hold up the server's own connection;
     * what lies in the broker is a cache to us, so nothing is kept on its disk. */
    buf_addf(&text,
             "# Written by gatehouse at each start.\n"
             "per_listener_settings false\n"
             "allow_anonymous true\n"
             "persistence false\n"
             "sys_interval 0\n"
             "max_packet_size 65536\n"
             "max_inflight_messages 1000\n"
             "max_queued_messages 10000\n"
             "max_keepalive 65535\n"
             "set_tcp_nodelay true\n"
             "connection_messages false\n"
             "log_dest stderr\n"
             "log_timestamp false\n"
             "log_type error\n"
             "log_type warning\n"
             "log_type notice\n"
             "listener %d %s\n",
             port, options->listen);
    if (options->tls_port)
        buf_addf(&text, "listener %d %s\ncertfile %s\nkeyfile %s\ntls_version tlsv1.2\n",
                 options->tls_port, options->listen, options->tls_cert, options->tls_key);
    char *taken = buf_error(&text) ? NULL : buf_take(&text);
    buf_free(&text);
    return taken;
}

enum err broker_write_config(struct broker *broker, struct cause *cause)
{
    char folder[BROKER_PATH_SIZE];
    int len = snprintf(folder, sizeof folder, "%s/broker", broker->options.data_dir);
    if (len < 0 || (size_t)len + sizeof "/mosquitto.conf" > sizeof folder)
        return cause_set(cause, ERR_BAD_INPUT, "data_dir is too long");
    snprintf(broker->config_path, sizeof broker->config_path, "%.*s/mosquitto.conf", len, folder);
    if (mkdir(folder, 0700) && errno != EEXIST)
        return cause_set(cause, ERR_IO, "%s cannot be made: %s", folder, strerror(errno));
    char *text = broker_config_text(&broker->options, broker->port);
    if (!text)
        return cause_set(cause, ERR_BAD_INPUT,
                         "mqtt.listen, mqtt.tls.cert or mqtt.tls.key holds a control character");
    /* Readable by all inside a folder that only its owner enters: mosquitto may run as another
     * user, and gets it open. */
    int fd = open(broker->config_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    size_t size = strlen(text);
    bool good = fd >= 0 && write(fd, text, size) == (ssize_t)size;
    if (good)
        fchmod(fd, 0644);
    int failed = errno;
    if (fd >= 0)
        close(fd);
    free(text);
    return good ? ERR_OK
                : cause_set(cause, ERR_IO, "%s cannot be written: %s", broker->config_path,
                            strerror(failed));
}
