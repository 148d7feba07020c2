/* SPDX-License-Identifier: MIT
 *
 * The command line (CONTRACT part 3): one table of commands, from which --help follows. Runs in its
 * own process, beside a server or without one, with the same result. Blocks freely.
 */
#ifndef SERVER_CLI_H
#define SERVER_CLI_H

#include "server/config.h"
#include "state/batch.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
    struct config config;
    const char *config_file;
    const char *sets[64];
    const char *name, *role;
    const char *arguments[4]; /* behind the command's words */
    int argument_count;
};

int cli_main(int argc, char **argv);

typedef int cli_run_fn(struct cli *cli);
cli_run_fn cli_serve, cli_check_config, cli_export, cli_import, cli_backup, cli_restore, cli_token,
    cli_list, cli_list_example;

/* cli_link.c: the other end of the owner's socket. Sends one line and waits for one; the answer is
 * parsed (json_free), its
 * {"error"} becomes ERR_CONFLICT with the cause. `keep` (may be NULL) gets the connection, to be
 * closed by the caller. */
struct json;
enum err cli_ask_server(const char *data_dir, const char *request, struct json **answer, int *keep,
                        struct cause *cause);

/* cli_offline.c: the store without a server. Both want the folder's lock held. */
enum err cli_keep_offline(const char *data_dir, const struct batch *batch, struct cause *cause);
/* A damaged database is put aside first. */
enum err cli_restore_offline(const char *data_dir, const char *database, struct cause *cause);

/* Says why on standard error; returns EXIT_FAILED. */
int cli_fail(const char *what, const struct cause *cause);

#endif
