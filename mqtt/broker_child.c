/* SPDX-License-Identifier: MIT
 *
 * On the way to become the broker. The kernel can end a child with its parent (prctl(2),
 * PR_SET_PDEATHSIG), but uv_spawn can't ask for that, and a process that changes its user loses the
 * request. So our own program is started first, gives up root itself, asks, and only then becomes
 * mosquitto, which, no longer being root, stays who it is.
 */
#include "mqtt/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CONFIG_FD 3

static int child_fail(const char *what, const char *name)
{
    fprintf(stderr, "Error: %s %s: %s\n", what, name, strerror(errno));
    return 1;
}

static int give_up_root(void)
{
    if (geteuid() != 0)
        return 0;
    const struct passwd *user = getpwnam("mosquitto");
    if (!user)
        user = getpwnam("nobody");
    if (!user)
        return 0;
    /* With its own groups: a certificate's key is often readable by one of them alone. */
    if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
        return child_fail("cannot become", user->pw_name);
    return 0;
}

/* mosquitto itself only says "unable to load server key file"; this says whose right is missing. */
static void warn_unreadable(const char *path)
{
    if (access(path, R_OK))
        fprintf(stderr, "Error: %s can't be read by user id %u, as which mosquitto runs: %s\n",
                path, (unsigned)geteuid(), strerror(errno));
}

static void warn_unreadable_files(int config)
{
    FILE *file = fdopen(dup(config), "r");
    char line[2048], path[1024];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "keyfile %1023[^\n]", path) == 1 ||
            sscanf(line, "certfile %1023[^\n]", path) == 1)
            warn_unreadable(path);
    if (file)
        fclose(file);
    lseek(config, 0, SEEK_SET);
}

/* Each board is an open file; nothing that the server has open is mosquitto's business but the
 * configuration, which becomes CONFIG_FD. */
static int keep_only_config(int config)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (config != CONFIG_FD && dup2(config, CONFIG_FD) < 0)
        return -1;
    fcntl(CONFIG_FD, F_SETFD, 0);
    return close_range(CONFIG_FD + 1, ~0U, 0);
}

int broker_child_main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "gatehouse: broker-child is for the server's own use\n");
        return 2;
    }
    long parent = strtol(argv[2], NULL, 10);
    /* Not close-on-exec: mosquitto reads it as /dev/fd/N, although it may not enter the folder. */
    int config = open(argv[3], O_RDONLY); // NOLINT(android-cloexec-open)
    if (config < 0)
        return child_fail("cannot open", argv[3]);
    if (keep_only_config(config))
        return child_fail("cannot hand on", argv[3]);
    int failed = give_up_root();
    if (failed)
        return failed;
    warn_unreadable_files(CONFIG_FD);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL))
        return child_fail("cannot tie mosquitto to", "its server");
    if (getppid() != (pid_t)parent)
        return 1; /* the server ended before the request was made */
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", CONFIG_FD);
    char option[] = "-c";
    char *const arguments[] = {argv[4], option, path, NULL};
    execv(argv[4], arguments);
    return child_fail("cannot run", argv[4]);
}
