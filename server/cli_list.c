/* SPDX-License-Identifier: MIT
 *
 * The program's own tables as Markdown: docs/tables.md is this command's output, and a test holds
 * the two equal.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actions/action.h"
#include "server/cli.h"
#include "server/router.h"

static void list_routes(void)
{
    printf(
        "## Routes\n\n| methods | address | who, at least | what |\n| --- | --- | --- | --- |\n");
    for (const struct route *route = route_table; route->pattern; route++) {
        printf("| ");
        bool first = true;
        for (int method = 0; method < HTTP_METHODS; method++) {
            if (!(route->methods & 1u << method))
                continue;
            printf("%s%s", first ? "" : ", ", http_method_name((enum http_method)method));
            first = false;
        }
        printf(" | `%s` | %s | %s |\n", route->pattern,
               route->flags & ROUTE_OPEN ? "anybody" : role_name(route->role), route->help);
    }
}

static void list_actions(void)
{
    printf("\n## Actions\n\n| word | arguments | class | who, at least | what |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; action_table[i]; i++) {
        const struct action *action = action_table[i];
        printf("| `%s` | `%s` | %s | %s | %s |\n", action->word, action->grammar,
               action_class_name(action->command_class), role_name(action->role), action->help);
    }
}

static void list_keys(void)
{
    printf("\n## Configuration keys\n\n| key | default | what is expected | meaning |\n"
           "| --- | --- | --- | --- |\n");
    for (const struct field *row = config_fields; row->path; row++) {
        char expected[256];
        printf("| `%s` | `%s` | %s | %s |\n", row->path, row->fallback ? row->fallback : "",
               field_expected(row, expected, sizeof expected), row->help);
    }
}

static void list_counters(void)
{
    printf("\n## Counters\n\n| name | what is counted |\n| --- | --- |\n");
    for (int i = 0; i < COUNTERS; i++)
        printf("| `%s` | %s |\n", action_counter_name((enum counter)i),
               action_counter_help((enum counter)i));
}

static void list_errors(void)
{
    printf("\n## Errors\n\n| code | HTTP status | message |\n| --- | --- | --- |\n");
    for (int i = 0; i < ERR_COUNT; i++)
        printf("| `%s` | %d | %s |\n", err_name((enum err)i), err_http_status((enum err)i),
               err_message((enum err)i));
}

int cli_list(struct cli *cli)
{
    (void)cli;
    printf("# The program's tables\n\nMade by `make docs` from the tables in the program; a test "
           "holds this page equal to them.\n\n");
    list_routes();
    list_actions();
    list_keys();
    list_counters();
    list_errors();
    return EXIT_DONE;
}

int cli_list_example(struct cli *cli)
{
    (void)cli;
    char *text = config_example();
    if (!text)
        return EXIT_FAILED;
    fputs(text, stdout);
    free(text);
    return EXIT_DONE;
}
