/* SPDX-License-Identifier: MIT
 *
 * The simulator's command line: `gatehouse-sim lock|camera|app|fleet N [--option value]...`. One
 * table of options, one of subcommands; help is printed from both.
 */
#include "tests/simulator/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/fields.h"

#define EXIT_USAGE    2
#define FLEET_MAX     100000
#define DAY_S         86400
#define OPTION_COLUMN 26

static bool name_fits(const char *text)
{
    return name_is_valid(text, strlen(text));
}

static const char *const words[] = {"unlock", "lock", NULL};
static const char *const ways[] = {"both", "mqtt", "http", NULL};
static const char *const forms[] = {"plain", "test", NULL};

#define TEXT(option, member, standard, check, shape, meaning)                                      \
    {                                                                                              \
        .path = option, .type = FIELD_TEXT, .offset = offsetof(struct sim_options, member),        \
        .size = sizeof(((struct sim_options *)0)->member), .fallback = standard, .valid = check,   \
        .expected = shape, .help = meaning                                                         \
    }
#define NUMBER(option, member, least, most, standard, meaning)                                     \
    {                                                                                              \
        .path = option, .type = FIELD_INT, .offset = offsetof(struct sim_options, member),         \
        .min = least, .max = most, .fallback = standard, .help = meaning                           \
    }
#define FLAG(option, member, meaning)                                                              \
    {                                                                                              \
        .path = option, .type = FIELD_BOOL, .offset = offsetof(struct sim_options, member),        \
        .fallback = "false", .help = meaning                                                       \
    }
#define CHOICE(option, member, list, standard, meaning)                                            \
    {                                                                                              \
        .path = option, .type = FIELD_CHOICE, .offset = offsetof(struct sim_options, member),      \
        .choices = list, .fallback = standard, .help = meaning                                     \
    }

static const struct field option_fields[] = {
    TEXT("broker", broker, "\"127.0.0.1:1883\"", NULL, "HOST:PORT", "the MQTT broker"),
    TEXT("http", http, "\"http://127.0.0.1:5000\"", NULL, "URL", "the server's HTTP address"),
    TEXT("token", token, NULL, NULL, "TOKEN", "bearer token for HTTP"),
    TEXT("device", device, "\"device\"", name_fits, "ID", "the device's id"),
    TEXT("device-topic", device_topic, NULL, name_fits, "TOPIC",
         "the device's topic (\"to\" and its id)"),
    TEXT("app", app, "\"app\"", name_fits, "ID", "the app's id"),
    TEXT("app-topic", app_topic, NULL, name_fits, "TOPIC", "the app's topic (\"to\" and its id)"),
    TEXT("server-topic", server_topic, "\"toserver\"", name_fits, "TOPIC", "the server's topic"),
    NUMBER("seconds", seconds, 0, DAY_S, "0", "stop after that long; 0: never"),
    NUMBER(
        "count", count, 0, 1000000000, "0",
        "stop after that many: answers (lock, fleet), strangers, presses; 0: no end (app: none)"),
    NUMBER("every", every_ms, 0, 3600000, "0",
           "milliseconds between strangers (12000), presses (4000), starts of boards (1)"),
    CHOICE("word", word, words, "\"unlock\"", "what a press asks for"),
    CHOICE("way", way, ways, "\"both\"", "how a press is sent"),
    CHOICE("form", form, forms, "\"plain\"", "POST /unlock?device=ID, or /test with JSON"),
    NUMBER("alerts", alerts, 0, 1000000, "0", "wait for that many alerts and their pictures"),
    FLAG("listen", listen, "go on listening when the presses are done"),
    TEXT("save", save, NULL, NULL, "FILE", "write the fetched picture there"),
    FLAG("raw", raw, "post a raw 640x480 BGR frame, as the existing camera does"),
    FLAG("named", named, "name the device in find_stranger (the existing camera doesn't)"),
    NUMBER("answer-delay", answer_delay_ms, 0, 600000, "0",
           "fault: milliseconds before an answer (a camera: before its picture)"),
    FLAG("no-answer", no_answer, "fault: never answer (a camera: send no picture)"),
    NUMBER("answer", answer, 0, 9, "0",
           "fault: the STATE answered, 1 is a failure (a camera: a picture that is none)"),
    FLAG("quiet", quiet, "print results only"),
    {.path = NULL},
};

struct command {
    const char *name, *arguments, *help, *examples;
    const char *options; /* names, separated by spaces */
    int64_t count;       /* default of --count */
    int (*run)(const struct sim_options *options);
};

#define COMMON "broker device device-topic app app-topic server-topic seconds count quiet "
static const struct command commands[] = {
    {.name = "lock",
     .arguments = "",
     .help = "A board: hand-shakes, obeys lock and unlock, answers on the app's topic.",
     .examples = "  gatehouse-sim lock --device front-door\n"
                 "  gatehouse-sim lock --answer 1 --answer-delay 2000   # slow, and it fails\n",
     .options = COMMON "answer-delay no-answer answer ",
     .run = sim_lock},
    {.name = "camera",
     .arguments = "",
     .help = "A camera: finds a stranger, tells the server, posts a picture it draws.",
     .examples = "  gatehouse-sim camera --token $TOKEN\n"
                 "  gatehouse-sim camera --named --device porch --count 3 --raw\n",
     .options = COMMON "every http token raw named answer-delay no-answer answer ",
     .count = 1,
     .run = sim_camera},
    {.name = "app",
     .arguments = "",
     .help = "A phone: hand-shakes, unlocks by MQTT and by HTTP, prints what it is told, fetches "
             "pictures.",
     .examples = "  gatehouse-sim app --device front-door --token $TOKEN\n"
                 "  gatehouse-sim app --count 0 --alerts 1 --save stranger.jpg\n"
                 "  gatehouse-sim app --word lock --way mqtt --listen\n",
     .options = COMMON "every http token word way form alerts listen save ",
     .count = 1,
     .run = sim_app},
    {.name = "fleet",
     .arguments = " N",
     .help = "N boards in one process: ids and topics get -000001 and so on appended.",
     .examples = "  gatehouse-sim fleet 1000 --device lock --seconds 60\n",
     .options = COMMON "every answer-delay no-answer answer ",
     .run = sim_fleet},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static bool command_takes(const struct command *command, const char *option)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%s ", option);
    for (const char *at = command->options; (at = strstr(at, wanted)) != NULL; at++)
        if (at == command->options || at[-1] == ' ')
            return true;
    return false;
}

static void option_shape(const struct field *row, char *out, size_t size)
{
    if (row->type == FIELD_BOOL)
        snprintf(out, size, "--%s", row->path);
    else if (row->type == FIELD_INT)
        snprintf(out, size, "--%s N", row->path);
    else if (row->type == FIELD_TEXT)
        snprintf(out, size, "--%s %s", row->path, row->expected);
    else
        snprintf(out, size, "--%s %s|...", row->path, row->choices[0]);
}

static void command_help(const struct command *command)
{
    printf("usage: gatehouse-sim %s%s [--option value]...\n\n%s\n\n", command->name,
           command->arguments, command->help);
    for (const struct field *row = option_fields; row->path != NULL; row++) {
        if (!command_takes(command, row->path))
            continue;
        char shape[80];
        option_shape(row, shape, sizeof shape);
        printf("  %-*s %s", OPTION_COLUMN, shape, row->help);
        if (row->type == FIELD_TEXT && row->fallback != NULL)
            printf(" (%.*s)", (int)strlen(row->fallback) - 2, row->fallback + 1);
        for (int i = 0; row->type == FIELD_CHOICE && row->choices[i] != NULL; i++)
            printf("%s%s", i == 0 ? ": " : ", ", row->choices[i]);
        putchar('\n');
    }
    printf("\nexamples:\n%s\n"
           "Exit status: 0 all went as asked, 1 something did not, 2 wrong usage.\n",
           command->examples);
}

static void general_help(FILE *out)
{
    fprintf(out, "usage: gatehouse-sim COMMAND [--option value]...\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s%-*s %s\n", commands[i].name, 12 - (int)strlen(commands[i].name),
                commands[i].arguments, commands[i].help);
    fprintf(out, "\n`gatehouse-sim COMMAND --help` lists its options, with examples.\n");
}

/* Takes `--name value`, `--name=value` or, for a flag, `--name`. Returns how many arguments it
 * used. */
static int option_take(const struct command *command, char **arguments, struct sim_options *options,
                       struct faults *faults)
{
    char name[64];
    const char *text = arguments[0] + 2;
    const char *equals = strchr(text, '=');
    const size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
    snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), text);
    const struct field *row = fields_find(option_fields, name);
    if (row == NULL || !command_takes(command, name)) {
        faults_add(faults, "`%s` takes no option --%s", command->name, name);
        return 1;
    }
    const char *value = equals != NULL ? equals + 1 : "true";
    const bool from_next = equals == NULL && row->type != FIELD_BOOL;
    if (from_next && arguments[1] == NULL) {
        faults_add(faults, "--%s needs a value", name);
        return 1;
    }
    fields_from_text(option_fields, name, from_next ? arguments[1] : value, "command line", options,
                     faults);
    return from_next ? 2 : 1;
}

static bool number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end = NULL;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < min || number > max)
        return false;
    *out = number;
    return true;
}

/* What follows from several options, or has a shape of its own. */
static void options_finish(struct sim_options *options, struct faults *faults)
{
    int64_t port = 0;
    const char *colon = strrchr(options->broker, ':');
    const size_t host = colon != NULL ? (size_t)(colon - options->broker) : 0;
    if (host == 0 || host >= sizeof options->broker_host ||
        !number_parse(colon + 1, 1, 65535, &port)) {
        faults_add(faults, "--broker: expected HOST:PORT, such as 127.0.0.1:1883");
    } else {
        text_copy(options->broker_host, sizeof options->broker_host, options->broker, host);
        options->broker_port = (int)port;
    }
    size_t len = strlen(options->http);
    if (strncmp(options->http, "http://", 7) != 0 && strncmp(options->http, "https://", 8) != 0)
        faults_add(faults, "--http: expected an address such as http://127.0.0.1:5000");
    while (len > 0 && options->http[len - 1] == '/')
        options->http[--len] = '\0';
    if (options->device_topic[0] == '\0')
        snprintf(options->device_topic, sizeof options->device_topic, "to%.*s", NAME_MAX_BYTES - 2,
                 options->device);
    if (options->app_topic[0] == '\0')
        snprintf(options->app_topic, sizeof options->app_topic, "to%.*s", NAME_MAX_BYTES - 2,
                 options->app);
}

static bool options_parse(const struct command *command, char **arguments,
                          struct sim_options *options, struct faults *faults)
{
    bool sized = command->arguments[0] == '\0';
    fields_default(option_fields, options);
    options->count = command->count;
    while (*arguments != NULL) {
        if (strncmp(*arguments, "--", 2) == 0) {
            arguments += option_take(command, arguments, options, faults);
            continue;
        }
        if (sized || !number_parse(*arguments, 1, FLEET_MAX, &options->boards))
            faults_add(faults, "\"%.60s\" is not expected here", *arguments);
        sized = true;
        arguments++;
    }
    if (!sized)
        faults_add(faults, "how many boards? (1 to %d)", FLEET_MAX);
    options_finish(options, faults);
    return faults->count == 0;
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static struct sim_options options;
    static struct faults faults;
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("gatehouse-sim %s\n", GATEHOUSE_VERSION);
        return 0;
    }
    const struct command *command = argc >= 2 ? command_find(argv[1]) : NULL;
    if (command == NULL) {
        const bool asked = argc >= 2 && strcmp(argv[1], "--help") == 0;
        general_help(asked ? stdout : stderr);
        return asked ? 0 : EXIT_USAGE;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            command_help(command);
            return 0;
        }
    }
    if (!options_parse(command, argv + 2, &options, &faults)) {
        const int shown = faults.count < FAULTS_MAX ? faults.count : FAULTS_MAX;
        for (int i = 0; i < shown; i++)
            fprintf(stderr, "gatehouse-sim: %s\n", faults.text[i]);
        fprintf(stderr, "gatehouse-sim: `gatehouse-sim %s --help` tells more\n", command->name);
        return EXIT_USAGE;
    }
    return command->run(&options);
}
