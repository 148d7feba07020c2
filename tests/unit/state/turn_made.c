/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/turn_made.h"

#include <stdio.h>
#include <string.h>

void tm_see(struct turn_made *f, const char *what)
{
    size_t at = strlen(f->seen);
    snprintf(f->seen + at, sizeof(f->seen) - at, "%s%s", at > 0 ? " " : "", what);
}

void tm_assert_seen(struct turn_made *f, const char *expected)
{
    assert_string_equal(f->seen, expected);
    f->seen[0] = '\0';
}

static void keep(void *owner, struct batch *batch)
{
    struct turn_made *f = owner;
    assert_null(f->flight);
    assert_true(batch->count > 0);
    f->kept++;
    f->flight = batch;
    if (f->at_once) {
        f->flight = NULL;
        turn_kept(f->turn, ERR_OK);
    }
}

static void reload(void *owner)
{
    struct turn_made *f = owner;
    f->reloads++;
}

static int64_t wall_ms(void *arg)
{
    return ((struct turn_made *)arg)->wall;
}

static int64_t boot_ms(void *arg)
{
    return ((struct turn_made *)arg)->boot;
}

static struct turn_made made;

int tm_set_up(void **state)
{
    struct turn_made *f = &made;
    memset(f, 0, sizeof(*f));
    f->wall = 1000000;
    f->clock = (struct clock){.wall_ms = wall_ms, .boot_ms = boot_ms, .arg = f};
    struct turn_keeper keeper = {keep, reload, f};
    f->turn = turn_new(registry_new(), &keeper, &f->clock);
    *state = f;
    return f->turn == NULL;
}

int tm_tear_down(void **state)
{
    struct turn_made *f = *state;
    turn_free(f->turn);
    return 0;
}

/* An out that tells its name and how it left. */
struct named {
    struct turn_made *f;
    const char *name;
    void (*then)(struct turn_made *f);
};

static void named_out(void *arg, enum err kept)
{
    struct named *named = arg;
    char text[64];
    snprintf(text, sizeof(text), kept == ERR_OK ? "%s" : "%s(%s)", named->name, err_name(kept));
    tm_see(named->f, text);
    if (named->then != NULL)
        named->then(named->f);
}

/* They live as long as the test: an out may leave much later. */
void tm_out_then(struct turn_made *f, const char *name, void (*then)(struct turn_made *f))
{
    static struct named pool[64];
    static size_t next;
    struct named *named = &pool[next++ % 64];
    *named = (struct named){f, name, then};
    turn_out(f->turn, named_out, named);
}

void tm_out(struct turn_made *f, const char *name)
{
    tm_out_then(f, name, NULL);
}

enum err tm_put(struct turn_made *f, const char *id)
{
    struct device device = {.created_at = 1};
    snprintf(device.id, sizeof(device.id), "%s", id);
    return turn_put(f->turn, REC_DEVICE, &device);
}

bool tm_has(struct turn_made *f, const char *id)
{
    return registry_device(turn_registry(f->turn), id) != NULL;
}

void tm_answer(struct turn_made *f, enum err result)
{
    assert_non_null(f->flight);
    f->flight = NULL;
    turn_kept(f->turn, result);
}

void tm_answer_reload(struct turn_made *f, enum err result)
{
    assert_int_equal(f->reloads, 1);
    f->reloads = 0;
    turn_reloaded(f->turn, result == ERR_OK ? registry_new() : NULL, result);
}

void tm_settled(void *arg, enum err result)
{
    struct turn_made *f = arg;
    char text[64];
    snprintf(text, sizeof(text), "settled-%s", err_name(result));
    tm_see(f, text);
}

void tm_turn(struct turn_made *f, const char *id, const char *out)
{
    assert_int_equal(tm_put(f, id), ERR_OK);
    tm_out(f, out);
    turn_end(f->turn);
}

void tm_commit(struct turn_made *f, const char *id, enum err result)
{
    assert_int_equal(tm_put(f, id), ERR_OK);
    turn_end(f->turn);
    tm_answer(f, result);
}
