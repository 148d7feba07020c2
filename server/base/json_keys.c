/* SPDX-License-Identifier: MIT
 *
 * Doubled keys, in n log n steps whatever the names are: each object's names are sorted by hash,
 * and only names of the same hash are compared, so neither a large file nor chosen collisions make
 * it slow. Walks through json.h; does not know the library.
 */
#include "server/base/json_keys.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_PAIRWISE 8 /* up to here comparing all pairs is cheaper than an array */

struct keys_entry {
    uint64_t hash;
    const char *name;
};

static unsigned char keys_lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* strcasecmp() would look at the locale. */
static int keys_compare_names(const char *a, const char *b)
{
    while (*a && keys_lower(*a) == keys_lower(*b)) {
        a++;
        b++;
    }
    return (int)keys_lower(*a) - (int)keys_lower(*b);
}

/* FNV-1a. */
static uint64_t keys_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ keys_lower(*name)) * UINT64_C(0x100000001b3);
    return hash;
}

static int keys_compare(const void *a, const void *b)
{
    const struct keys_entry *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return keys_compare_names(left->name, right->name);
}

static enum err keys_doubled(struct cause *cause, const char *name)
{
    return cause_set(cause, ERR_BAD_INPUT, "the key \"%.100s\" is there twice", name);
}

static enum err keys_check_few(const struct json *object, struct cause *cause)
{
    for (const struct json *a = json_first(object); a; a = json_next(a))
        for (const struct json *b = json_next(a); b; b = json_next(b))
            if (keys_compare_names(json_name(a), json_name(b)) == 0)
                return keys_doubled(cause, json_name(b));
    return ERR_OK;
}

static enum err keys_check_many(const struct json *object, size_t count, struct cause *cause)
{
    struct keys_entry *entries = calloc(count, sizeof *entries);
    if (!entries)
        return cause_set(cause, ERR_NO_MEMORY, "no memory for an object of %zu keys", count);
    size_t at = 0;
    for (const struct json *child = json_first(object); child; child = json_next(child))
        entries[at++] =
            (struct keys_entry){.hash = keys_hash(json_name(child)), .name = json_name(child)};
    qsort(entries, count, sizeof *entries, keys_compare);
    enum err err = ERR_OK;
    for (size_t i = 1; i < count && !err; i++)
        if (keys_compare(&entries[i - 1], &entries[i]) == 0)
            err = keys_doubled(cause, entries[i].name);
    free(entries);
    return err;
}

enum err json_keys_check(const struct json *root, struct cause *cause)
{
    enum json_type type = json_type(root);
    if (type == JSON_OBJECT) {
        size_t count = json_count(root);
        enum err err = count <= KEYS_PAIRWISE ? keys_check_few(root, cause)
                                              : keys_check_many(root, count, cause);
        if (err)
            return err;
    } else if (type != JSON_ARRAY) {
        return ERR_OK;
    }
    /* The scan has bounded the levels, so the recursion is bounded too. */
    for (const struct json *child = json_first(root); child; child = json_next(child)) {
        enum err err = json_keys_check(child, cause);
        if (err)
            return err;
    }
    return ERR_OK;
}
