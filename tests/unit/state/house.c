/* SPDX-License-Identifier: MIT */
#include "tests/unit/state/house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "server/base/secret.h"
#include "state/pictures.h"
#include "tests/unit/state/pictures_made.h"
#include "tests/unit/state/scratch.h"

static int64_t stand_still(void *arg)
{
    (void)arg;
    return HOUSE_NOW;
}

static void on_kept(void *arg, enum err result)
{
    turn_kept(((struct house *)arg)->turn, result);
}

static void keep(void *owner, struct batch *batch)
{
    store_keep(((struct house *)owner)->store, batch, on_kept, owner);
}

static void on_reloaded(void *arg, struct registry *fresh, enum err result)
{
    turn_reloaded(((struct house *)arg)->turn, fresh, result);
}

static void reload(void *owner)
{
    store_reload(((struct house *)owner)->store, on_reloaded, owner);
}

void house_open(struct house *house)
{
    struct cause cause = {.text = ""};
    memset(house, 0, sizeof *house);
    assert_int_equal(secret_init(), ERR_OK);
    house->data_dir = scratch_new();
    loop_queue_init(&house->loop);
    house->clock = (struct clock){.wall_ms = stand_still, .boot_ms = stand_still};
    struct store_options options = {
        .data_dir = house->data_dir, .post = loop_queue_post(&house->loop), .now_at = HOUSE_NOW};
    if (store_open(&options, &house->store, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    struct registry *registry = registry_new();
    assert_int_equal(store_load(house->store, registry, &cause), ERR_OK);
    struct turn_keeper keeper = {.keep = keep, .reload = reload, .owner = house};
    house->turn = turn_new(registry, &keeper, &house->clock);
}

void house_stop(struct house *house)
{
    store_close(house->store);
    house->store = NULL;
    loop_queue_drain(&house->loop);
    turn_free(house->turn);
    house->turn = NULL;
}

void house_close(struct house *house)
{
    if (house->turn != NULL)
        house_stop(house);
    loop_queue_close(&house->loop);
    scratch_free(house->data_dir);
}

void house_put(struct house *house, enum record_kind kind, const void *record)
{
    assert_int_equal(turn_put(house->turn, kind, record), ERR_OK);
}

static void on_out(void *arg, enum err kept)
{
    assert_int_equal(kept, ERR_OK);
    *(bool *)arg = true;
}

void house_commit(struct house *house)
{
    bool out = false;
    turn_out(house->turn, on_out, &out);
    turn_end(house->turn);
    loop_queue_wait(&house->loop, &out);
}

struct counting {
    bool came;
    size_t count;
};

static void on_rows(void *arg, void *const *rows, size_t count, enum err result)
{
    struct counting *counting = arg;
    (void)rows;
    assert_int_equal(result, ERR_OK);
    counting->came = true;
    counting->count = count;
}

size_t house_count(struct house *house, enum record_kind kind)
{
    struct counting counting = {0};
    struct store_query query = {.kind = kind, .limit = 1000};
    store_query(house->store, &query, on_rows, &counting);
    loop_queue_wait(&house->loop, &counting.came);
    return counting.count;
}

const char *house_picture_path(struct house *house, const char *id)
{
    char name[PICTURE_PATH_SIZE];
    picture_path(id, name);
    return scratch_path(house->data_dir, name);
}

struct picture house_add_picture(struct house *house, int64_t created_at, size_t bytes)
{
    struct picture picture = {.type = "image/png",
                              .name = "cam.png",
                              .width = 7,
                              .height = 9,
                              .bytes = (int64_t)bytes,
                              .created_at = created_at};
    size_t len;
    unsigned char *png = made_png(7, 9, &len);
    assert_true(len + SECRET_ID_SIZE <= bytes);
    png = realloc(png, bytes);
    memset(png + len, 0, bytes - len);
    secret_new_id(picture.id);
    memcpy(png + len, picture.id, sizeof picture.id);
    secret_sha256(png, bytes, picture.sha256);
    mkdir(scratch_path(house->data_dir, "pictures"), 0700);
    char *path = strdup(house_picture_path(house, picture.id));
    *strrchr(path, '/') = '\0';
    mkdir(path, 0700);
    free(path);
    scratch_write(house_picture_path(house, picture.id), png, bytes);
    free(png);
    house_put(house, REC_PICTURE, &picture);
    return picture;
}
