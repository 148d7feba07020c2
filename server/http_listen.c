/* SPDX-License-Identifier: MIT
 *
 * The listening socket and what a socket's address says. Names are never looked up: an address is
 * digits, so nothing here waits.
 */
#include "server/http_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* As many may wait for accept() as the kernel allows by default on the systems we know. */
#define BACKLOG 1024
/* When the limit of open files can't be asked for. */
#define FILES_USUAL 1024

static enum err explain(const char *address, int port, int error, struct cause *cause)
{
    if (error == EADDRINUSE)
        return cause_set(cause, ERR_CONFLICT,
                         "%s:%d is taken by another program: stop it or set http.port", address,
                         port);
    if (error == EACCES)
        return cause_set(cause, ERR_FORBIDDEN,
                         "%s:%d may only be used by root: set http.port to 1024 or above", address,
                         port);
    if (error == EADDRNOTAVAIL)
        return cause_set(cause, ERR_BAD_INPUT,
                         "%s is no address of this machine: set http.listen to one of its own",
                         address);
    return cause_set(cause, ERR_IO, "cannot listen on %s:%d: %s", address, port, strerror(error));
}

static int bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

enum err http_listen(const char *address, int port, int *out, int *bound, struct cause *cause)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found;
    char service[12];
    int yes = 1, no = 0, error, fd;

    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(address, service, &hints, &found) != 0)
        return cause_set(cause, ERR_BAD_INPUT,
                         "http.listen \"%s\" is not an address such as 127.0.0.1", address);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error = errno;
        freeaddrinfo(found);
        return explain(address, port, error, cause);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (found->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    error =
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ? errno : 0;
    freeaddrinfo(found);
    *bound = error == 0 ? bound_port(fd) : -1;
    if (*bound < 0) {
        close(fd);
        return explain(address, port, error, cause);
    }
    *out = fd;
    return ERR_OK;
}

unsigned http_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return FILES_USUAL;
    if (files.rlim_cur < files.rlim_max) {
        struct rlimit more = {.rlim_cur = files.rlim_max, .rlim_max = files.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            files = more;
    }
    return files.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)files.rlim_cur;
}

bool http_address_text(const struct sockaddr *address, char out[static INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;

    out[0] = '\0';
    if (address->sa_family == AF_INET)
        return inet_ntop(AF_INET, &four->sin_addr, out, INET6_ADDRSTRLEN) != NULL;
    if (address->sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], out, INET6_ADDRSTRLEN) != NULL;
    return inet_ntop(AF_INET6, &six->sin6_addr, out, INET6_ADDRSTRLEN) != NULL;
}

bool http_address_is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;

    if (address->sa_family == AF_INET)
        return (ntohl(four->sin_addr.s_addr) >> 24) == 127;
    if (address->sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return six->sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}
