/* SPDX-License-Identifier: MIT
 *
 * Words and options of the command line, the configuration they lead to, and the command they name.
 */
#include "server/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/base/secret.h"

struct cli_command {
    const char *words;     /* "token create" */
    const char *arguments; /* for people */
    int argument_count;
    const char *help;
    cli_run_fn *run;
};

static const struct cli_command commands[] = {
    {"serve", "", 0, "run the server (the default)", cli_serve},
    {"check-config", "", 0, "read the configuration, say everything that is wrong with it",
     cli_check_config},
    {"export", "", 0, "the whole state as one JSON document on standard output", cli_export},
    {"import", "FILE", 1, "take a document of export, or the Python server's config.json",
     cli_import},
    {"backup", "DIR", 1, "copy database and pictures to DIR, verified", cli_backup},
    {"restore", "DIR", 1, "put a backup in the place of what is there, verified first",
     cli_restore},
    {"token create", "--name NAME --role admin|member|viewer", 0,
     "make a token; it is printed alone on the last line", cli_token},
    {"list example", "", 0, "every configuration key at its default, as config.json.example",
     cli_list_example},
    {"list", "", 0,
     "the program's own tables (routes, actions, keys, counters, errors) as Markdown", cli_list},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(void)
{
    printf("gatehouse %s: the server for the locks, cameras and buttons at your door\n\n"
           "usage: gatehouse [COMMAND] [--config FILE] [--set KEY=VALUE]...\n\ncommands:\n",
           GATEHOUSE_VERSION);
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %s%s%s\n        %s\n", commands[i].words, *commands[i].arguments ? " " : "",
               commands[i].arguments, commands[i].help);
    printf(
        "\noptions:\n"
        "  --config FILE     the configuration (default: config.json when it is there)\n"
        "  --set KEY=VALUE   one key, wins over file and environment; may be repeated\n"
        "  --verbose         log also what only helps when something is looked for\n"
        "  --help, --version\n\n"
        "Each key can also be given as an environment variable, http.port as GATEHOUSE_HTTP_PORT.\n"
        "Every key with its default is in config.json.example.\n"
        "Exit status: 0 done, 1 failed, 2 wrong usage or configuration.\n");
}

static int usage(const char *before, const char *what, const char *behind)
{
    fprintf(stderr, "gatehouse: %s%s%s\nTry 'gatehouse --help'.\n", before, what, behind);
    return EXIT_USAGE;
}

int cli_fail(const char *what, const struct cause *cause)
{
    char text[2 * sizeof cause->text];
    fprintf(stderr, "gatehouse: %s: %s\n", what,
            log_escape(text, sizeof text, cause->text, strlen(cause->text)));
    return EXIT_FAILED;
}

/* Finds the command whose words stand first in argv; -1: none. */
static int match_command(int argc, char **argv, int *used)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        char both[64] = "";
        bool two = strchr(commands[i].words, ' ') != NULL;
        if (two && argc > 1)
            snprintf(both, sizeof both, "%s %s", argv[0], argv[1]);
        if (strcmp(two ? both : argv[0], commands[i].words) == 0) {
            *used = two ? 2 : 1;
            return (int)i;
        }
    }
    return -1;
}

static int load_config(struct cli *cli)
{
    struct config_source source = {
        .file = cli->config_file,
        .file_must_exist = cli->config_file != NULL,
        .sets = cli->sets,
        .environment = (const char *const *)environ,
    };
    struct faults *faults = calloc(1, sizeof *faults);
    if (!faults)
        return EXIT_FAILED;
    bool good = config_load(&source, &cli->config, faults);
    for (int i = 0; i < faults->count && i < FAULTS_MAX; i++) {
        char text[1024];
        fprintf(stderr, "gatehouse: %s\n",
                log_escape(text, sizeof text, faults->text[i], strlen(faults->text[i])));
    }
    if (faults->count > FAULTS_MAX)
        fprintf(stderr, "gatehouse: and %d more\n", faults->count - FAULTS_MAX);
    free(faults);
    return good ? EXIT_DONE : EXIT_USAGE;
}

static int run_command(struct cli *cli, int command)
{
    int status = load_config(cli);
    if (status == EXIT_DONE) {
        if (cli->config.site_timezone[0])
            setenv("TZ", cli->config.site_timezone, 1);
        tzset();
        status = commands[command].run(cli);
    }
    config_free(&cli->config);
    return status;
}

/* What was printed into a full disk or a closed pipe was not said: a token above all. */
static int flushed(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    fprintf(stderr, "gatehouse: writing to standard output failed: %s\n", strerror(errno));
    return status == EXIT_DONE ? EXIT_FAILED : status;
}

/* -1: go on; else the exit status. */
static int take_options(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
        {"name", required_argument, NULL, 'n'},   {"role", required_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'd'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
    };
    size_t sets = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            cli->config_file = optarg;
            break;
        case 's':
            if (sets == sizeof cli->sets / sizeof *cli->sets - 1)
                return usage("too many ", "--set", "");
            cli->sets[sets++] = optarg;
            break;
        case 'n':
            cli->name = optarg;
            break;
        case 'r':
            cli->role = optarg;
            break;
        case 'd':
            log_set_level(LOG_DEBUG);
            break;
        case 'h':
            print_help();
            return EXIT_DONE;
        case 'v':
            printf("gatehouse %s\n", GATEHOUSE_VERSION);
            return EXIT_DONE;
        default:
            fprintf(stderr, "Try 'gatehouse --help'.\n");
            return EXIT_USAGE;
        }
    }
    return -1;
}

int cli_main(int argc, char **argv)
{
    static struct cli cli;
    int status = take_options(&cli, argc, argv);
    if (status >= 0)
        return flushed(status);
    if (secret_init()) {
        fprintf(stderr, "gatehouse: the system gives no random numbers\n");
        return EXIT_FAILED;
    }
    int used = 0, command = 0;
    if (optind < argc) {
        command = match_command(argc - optind, argv + optind, &used);
        if (command < 0) {
            char words[128];
            snprintf(words, sizeof words, "%s%s%s", argv[optind], optind + 1 < argc ? " " : "",
                     optind + 1 < argc ? argv[optind + 1] : "");
            return usage("there is no command '", words, "'");
        }
    }
    cli.argument_count = argc - optind - used;
    if (cli.argument_count != commands[command].argument_count)
        return usage("wrong number of arguments for '", commands[command].words, "'");
    for (int i = 0; i < cli.argument_count; i++)
        cli.arguments[i] = argv[optind + used + i];
    return flushed(run_command(&cli, command));
}
