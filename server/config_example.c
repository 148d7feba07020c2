/* SPDX-License-Identifier: MIT
 *
 * The text of config.json.example, made from the table: nested objects in the order of the rows,
 * each value its row's default. Knows no key.
 */
#include <string.h>

#include "server/base/buf.h"
#include "server/config.h"

#define EXAMPLE_MAX   65536
#define EXAMPLE_DEPTH 8

/* Groups that are open at the moment: where each name ends in the path of the row before. */
struct example {
    struct buf text;
    const char *path;
    size_t ends[EXAMPLE_DEPTH];
    int depth;
};

static void example_line(struct example *example)
{
    buf_addf(&example->text, "\n%*s", 2 * (example->depth + 1), "");
}

static void example_close_to(struct example *example, int depth)
{
    while (example->depth > depth) {
        example->depth--;
        example_line(example);
        buf_add_str(&example->text, "}");
    }
}

/* How many of the open groups the row is in too. */
static int example_shared(const struct example *example, const char *path)
{
    int shared = 0;
    while (shared < example->depth && strncmp(path, example->path, example->ends[shared] + 1) == 0)
        shared++;
    return shared;
}

static void example_name(struct example *example, const char *name, size_t len)
{
    example_line(example);
    buf_addf(&example->text, "\"%.*s\": ", (int)len, name);
}

static void example_row(struct example *example, const struct field *row)
{
    int shared = example_shared(example, row->path);
    example_close_to(example, shared);
    if (example->path)
        buf_add_str(&example->text, ",");
    const char *name = row->path + (shared ? example->ends[shared - 1] + 1 : 0);
    size_t len = strcspn(name, ".");
    while (name[len] && example->depth < EXAMPLE_DEPTH) {
        example_name(example, name, len);
        buf_add_str(&example->text, "{");
        example->ends[example->depth++] = (size_t)(name + len - row->path);
        name += len + 1;
        len = strcspn(name, ".");
    }
    example_name(example, name, len);
    buf_add_str(&example->text, row->fallback);
    example->path = row->path;
}

char *config_example(void)
{
    struct example example = {.depth = 0};
    buf_init(&example.text, EXAMPLE_MAX);
    buf_add_str(&example.text, "{");
    for (const struct field *row = config_fields; row->path; row++)
        example_row(&example, row);
    example_close_to(&example, 0);
    buf_add_str(&example.text, "\n}\n");
    return buf_take(&example.text);
}
