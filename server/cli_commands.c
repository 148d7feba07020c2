/* SPDX-License-Identifier: MIT
 *
 * The commands. Those that change something ask the server when one runs, and else take the
 * folder's lock and do it themselves; those that only read, read the files (a read-only connection
 * is safe beside the writer).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/auth.h"
#include "server/base/json.h"
#include "server/cli.h"
#include "server/import_file.h"
#include "server/server.h"
#include "state/folder.h"
#include "state/transfer.h"

int cli_serve(struct cli *cli)
{
    return server_run(&cli->config);
}

int cli_check_config(struct cli *cli)
{
    printf("gatehouse: the configuration is good: http://%s:%d, broker %s\n",
           cli->config.http_listen, (int)cli->config.http_port, cli->config.mqtt_broker);
    return EXIT_DONE;
}

static int64_t now_at(void)
{
    struct clock clock;
    clock_init_system(&clock);
    return clock_wall_ms(&clock);
}

/* -1 when a server (or another command) has the folder. */
static enum err take_folder(const struct cli *cli, int *fd, struct cause *cause)
{
    *fd = -1;
    enum err err = folder_lock(cli->config.data_dir, fd, cause);
    return err == ERR_CONFLICT ? ERR_OK : err;
}

static void give_folder(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* What only reads leaves no folder behind where there was nothing. */
static enum err must_have_state(const struct cli *cli, struct cause *cause)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/gatehouse.db", cli->config.data_dir);
    if (len > 0 && (size_t)len < sizeof path && (!access(path, F_OK) || errno != ENOENT))
        return ERR_OK;
    return cause_set(cause, ERR_NOT_FOUND,
                     "there is no state in %s: start the server there once, or set data_dir "
                     "(--config FILE, --set data_dir=DIR) as the server has it",
                     cli->config.data_dir);
}

int cli_export(struct cli *cli)
{
    struct cause cause = {""};
    int fd = -1;
    enum err err = must_have_state(cli, &cause);
    if (!err)
        err = take_folder(cli, &fd, &cause);
    if (!err)
        err = transfer_export(cli->config.data_dir, stdout, now_at(), &cause);
    if (!err && fflush(stdout))
        err = cause_set(&cause, ERR_IO, "writing failed: %s", strerror(errno));
    give_folder(fd);
    return err ? cli_fail("export", &cause) : EXIT_DONE;
}

static void print_report(const struct import_report *report)
{
    struct buf line;
    for (size_t i = 0; import_report_line(report, i, &line); i++) {
        printf("%s\n", line.data);
        buf_free(&line);
    }
}

static enum err ask(const struct cli *cli, const char *verb, const char *path, struct json **answer,
                    struct cause *cause)
{
    struct buf request;
    buf_init(&request, 8192);
    buf_addf(&request, "{\"do\":\"%s\",\"path\":", verb);
    buf_add_json_str(&request, path);
    buf_add_str(&request, "}\n");
    enum err err = buf_error(&request);
    if (!err)
        err = cli_ask_server(cli->config.data_dir, request.data, answer, NULL, cause);
    buf_free(&request);
    return err;
}

static enum err import_by_server(const struct cli *cli, const char *path, struct cause *cause)
{
    struct json *answer = NULL;
    enum err err = ask(cli, "import", path, &answer, cause);
    for (const struct json *line = json_first(json_get(answer, "report")); line;
         line = json_next(line))
        printf("%s\n", json_str(line));
    json_free(answer);
    return err;
}

static enum err import_offline(const struct cli *cli, const char *path, struct cause *cause)
{
    struct import_report *report = calloc(1, sizeof *report);
    struct batch *batch = NULL;
    enum err err = ERR_NO_MEMORY;
    if (report)
        err = import_file_read(path, now_at(), &batch, report, cause);
    if (!err)
        err = cli_keep_offline(cli->config.data_dir, batch, cause);
    if (!err)
        print_report(report);
    batch_free(batch);
    free(report);
    return err;
}

int cli_import(struct cli *cli)
{
    struct cause cause = {""};
    char path[PATH_MAX];
    if (!realpath(cli->arguments[0], path)) {
        cause_set(&cause, ERR_NOT_FOUND, "%s: %s", cli->arguments[0], strerror(errno));
        return cli_fail("import", &cause);
    }
    int fd;
    enum err err = take_folder(cli, &fd, &cause);
    if (!err)
        err = fd < 0 ? import_by_server(cli, path, &cause) : import_offline(cli, path, &cause);
    give_folder(fd);
    return err ? cli_fail("import", &cause) : EXIT_DONE;
}

static void show_progress(void *arg, size_t done, size_t total)
{
    const char *what = arg;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s: %zu of %zu pictures%s", what, done, total,
                done == total ? "\n" : "");
    else if (done == total)
        fprintf(stderr, "%s: %zu pictures\n", what, total);
}

int cli_backup(struct cli *cli)
{
    struct cause cause = {""};
    static char what[] = "backup";
    int fd = -1, hold = -1;
    enum err err = must_have_state(cli, &cause);
    if (!err)
        err = take_folder(cli, &fd, &cause);
    if (!err && fd < 0)
        err = cli_ask_server(cli->config.data_dir, "{\"do\":\"hold\"}\n", NULL, &hold, &cause);
    if (!err)
        err = transfer_backup(cli->config.data_dir, cli->arguments[0], now_at(), show_progress,
                              what, &cause);
    if (hold >= 0)
        close(hold);
    give_folder(fd);
    if (err)
        return cli_fail("backup", &cause);
    printf("gatehouse: backup in %s, verified\n", cli->arguments[0]);
    return EXIT_DONE;
}

static enum err restore_database(const struct cli *cli, int fd, const char *dir,
                                 struct cause *cause)
{
    char relative[PATH_MAX], path[PATH_MAX];
    int len = snprintf(relative, sizeof relative, "%s/gatehouse.db", dir);
    if (len < 0 || (size_t)len >= sizeof relative || !realpath(relative, path))
        return cause_set(cause, ERR_NOT_FOUND, "%s/gatehouse.db: %s", dir, strerror(errno));
    if (fd >= 0)
        return cli_restore_offline(cli->config.data_dir, path, cause);
    return ask(cli, "restore", path, NULL, cause);
}

int cli_restore(struct cli *cli)
{
    struct cause cause = {""};
    static char checked[] = "checked", copied[] = "copied";
    const char *dir = cli->arguments[0];
    int fd, hold = -1;
    enum err err = take_folder(cli, &fd, &cause);
    if (!err && fd < 0)
        err = cli_ask_server(cli->config.data_dir, "{\"do\":\"hold\"}\n", NULL, &hold, &cause);
    if (!err)
        err = transfer_verify(dir, show_progress, checked, &cause);
    if (!err)
        err = transfer_restore_pictures(dir, cli->config.data_dir, show_progress, copied, &cause);
    if (!err)
        err = restore_database(cli, fd, dir, &cause);
    if (hold >= 0)
        close(hold);
    give_folder(fd);
    if (err)
        return cli_fail("restore", &cause);
    printf("gatehouse: restored from %s\n", dir);
    return EXIT_DONE;
}

static enum err token_by_server(const struct cli *cli, char *secret, size_t size,
                                struct cause *cause)
{
    char request[512];
    snprintf(request, sizeof request, "{\"do\":\"token\",\"name\":\"%s\",\"role\":\"%s\"}\n",
             cli->name, cli->role);
    struct json *answer = NULL;
    enum err err = cli_ask_server(cli->config.data_dir, request, &answer, NULL, cause);
    const char *text = json_str(json_get(answer, "token"));
    if (!err && text)
        snprintf(secret, size, "%s", text);
    else if (!err)
        err = cause_set(cause, ERR_INTERNAL, "the server's answer has no token");
    json_free(answer);
    return err;
}

static enum err token_offline(const struct cli *cli, char secret[static SECRET_TOKEN_SIZE],
                              struct cause *cause)
{
    struct token token;
    auth_token_make(TOKEN_BEARER, cli->name, role_from_name(cli->role), now_at(), 0, &token,
                    secret);
    struct batch *batch = batch_new();
    enum err err = batch ? batch_add(batch, CHANGE_PUT, REC_TOKEN, &token) : ERR_NO_MEMORY;
    if (!err)
        err = cli_keep_offline(cli->config.data_dir, batch, cause);
    batch_free(batch);
    return err;
}

/* Letters that need no escaping anywhere: a name ends up in JSON, in the log and in lists. */
static bool token_name_is_plain(const char *name)
{
    return name_is_valid(name, strlen(name)) && !strpbrk(name, "\"\\");
}

int cli_token(struct cli *cli)
{
    if (!cli->name || !token_name_is_plain(cli->name) || !cli->role ||
        role_from_name(cli->role) == ROLE_NONE) {
        fprintf(stderr,
                "gatehouse: token create wants --name NAME (no spaces or quotes) and --role "
                "admin, member or viewer\n");
        return EXIT_USAGE;
    }
    struct cause cause = {""};
    char secret[SECRET_TOKEN_SIZE] = "";
    int fd;
    enum err err = take_folder(cli, &fd, &cause);
    if (!err)
        err = fd < 0 ? token_by_server(cli, secret, sizeof secret, &cause)
                     : token_offline(cli, secret, &cause);
    give_folder(fd);
    if (err)
        return cli_fail("token create", &cause);
    fprintf(stderr, "gatehouse: a token for %s, role %s. It is shown only now:\n", cli->name,
            cli->role);
    printf("%s\n", secret);
    return EXIT_DONE;
}
