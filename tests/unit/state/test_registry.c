/* SPDX-License-Identifier: MIT
 *
 * The registry: finding, walking, indices that follow changes.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/registry.h"

static struct registry *registry;

static int set_up(void **state)
{
    (void)state;
    registry = registry_new();
    return registry == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    registry_free(registry);
    return 0;
}

static void put(enum record_kind kind, const void *record)
{
    assert_int_equal(registry_apply(registry, CHANGE_PUT, kind, record), ERR_OK);
}

static void del(enum record_kind kind, const void *record)
{
    assert_int_equal(registry_apply(registry, CHANGE_DELETE, kind, record), ERR_OK);
}

static void put_device(const char *id, const char *topic)
{
    struct device device = {.created_at = 1};
    snprintf(device.id, sizeof(device.id), "%s", id);
    snprintf(device.topic, sizeof(device.topic), "%s", topic);
    put(REC_DEVICE, &device);
}

static void put_pair(const char *device_id, const char *app_id, const char *app_topic)
{
    struct pair pair = {.created_at = 1};
    snprintf(pair.device_id, sizeof(pair.device_id), "%s", device_id);
    snprintf(pair.app_id, sizeof(pair.app_id), "%s", app_id);
    snprintf(pair.app_topic, sizeof(pair.app_topic), "%s", app_topic);
    put(REC_PAIR, &pair);
}

static void put_command(const char *id, const char *device_id, enum command_state state)
{
    struct command command = {.state = state};
    snprintf(command.id, sizeof(command.id), "%s", id);
    snprintf(command.device_id, sizeof(command.device_id), "%s", device_id);
    put(REC_COMMAND, &command);
}

static void put_data(const char *key, int64_t seq)
{
    struct data_item item = {.seq = seq};
    snprintf(item.key, sizeof(item.key), "%s", key);
    put(REC_DATA, &item);
}

struct seen {
    char text[512];
    size_t stop_after, count;
};

/* The first member of every record is its key; of a pair the app's id tells more. */
static bool see(void *arg, const void *record)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);
    snprintf(seen->text + at, sizeof(seen->text) - at, "%s%s", at > 0 ? " " : "",
             (const char *)record);
    return ++seen->count != seen->stop_after;
}

static bool see_app(void *arg, const void *record)
{
    return see(arg, ((const struct pair *)record)->app_id);
}

static void finds_by_id_and_by_topic(void **state)
{
    (void)state;
    put_device("a", "to/a");
    put_device("b", "to/b");
    assert_string_equal(registry_device(registry, "a")->topic, "to/a");
    assert_string_equal(registry_device_by_topic(registry, "to/b")->id, "b");
    assert_null(registry_device(registry, "A"));
    assert_null(registry_device(registry, ""));
    assert_null(registry_device_by_topic(registry, "to"));
    assert_null(registry_app_by_topic(registry, "to/a"));
    struct app app = {.id = "a", .topic = "to/app"};
    put(REC_APP, &app);
    assert_string_equal(registry_app_by_topic(registry, "to/app")->id, "a");
    assert_string_equal(registry_app(registry, "a")->topic, "to/app");
}

static void a_changed_topic_is_found_by_the_new_one_only(void **state)
{
    (void)state;
    put_device("a", "old");
    put_device("a", "new");
    assert_null(registry_device_by_topic(registry, "old"));
    assert_string_equal(registry_device_by_topic(registry, "new")->id, "a");
    assert_int_equal(registry_count(registry, REC_DEVICE), 1);
    del(REC_DEVICE, registry_device(registry, "a"));
    assert_null(registry_device_by_topic(registry, "new"));
    assert_null(registry_device(registry, "a"));
    assert_int_equal(registry_count(registry, REC_DEVICE), 0);
}

static void an_empty_topic_is_nobodys(void **state)
{
    (void)state;
    put_device("a", "");
    put_device("b", "t");
    put_device("b", "");
    assert_null(registry_device_by_topic(registry, ""));
    assert_null(registry_device_by_topic(registry, "t"));
    assert_non_null(registry_device(registry, "b"));
}

/* Somebody who takes a topic over is put before or after the one who loses it. */
static void a_topic_that_changes_hands_is_found_in_both_orders(void **state)
{
    (void)state;
    put_device("a", "t");
    put_device("b", "t");
    assert_string_equal(registry_device_by_topic(registry, "t")->id, "b");
    put_device("a", "");
    assert_string_equal(registry_device_by_topic(registry, "t")->id, "b");
    put_device("c", "t");
    put_device("c", "u");
    assert_string_equal(registry_device_by_topic(registry, "t")->id, "b");
    del(REC_DEVICE, &(struct device){.id = "b"});
    assert_null(registry_device_by_topic(registry, "t"));
}

static void a_found_record_may_be_put_back_and_deleted(void **state)
{
    (void)state;
    struct custom custom = {.key = "k", .value = strdup("{\"a\":1}")};
    put(REC_CUSTOM, &custom);
    free(custom.value);
    put(REC_CUSTOM, registry_custom(registry, "k"));
    assert_string_equal(registry_custom(registry, "k")->value, "{\"a\":1}");
    struct device device = {.id = "a", .topic = "t"};
    put(REC_DEVICE, &device);
    put(REC_DEVICE, registry_device(registry, "a"));
    assert_string_equal(registry_device_by_topic(registry, "t")->id, "a");
    del(REC_CUSTOM, registry_custom(registry, "k"));
    assert_null(registry_custom(registry, "k"));
}

static void pairs_are_found_and_walked_newest_first(void **state)
{
    (void)state;
    put_pair("d", "one", "t1");
    put_pair("e", "other", "t1");
    put_pair("d", "two", "t2");
    put_pair("d", "three", "t2");
    put_pair("d", "one", "t3");
    assert_string_equal(registry_pair(registry, "d", "one")->app_topic, "t3");
    assert_null(registry_pair(registry, "d", "other"));
    /* Both ids count, not their sum. */
    put_pair("ab", "c", "x");
    assert_null(registry_pair(registry, "a", "bc"));
    struct seen seen = {.text = ""};
    registry_each_pair_of_device(registry, "d", see_app, &seen);
    assert_string_equal(seen.text, "three two one");
    seen = (struct seen){.stop_after = 2};
    registry_each_pair_of_device(registry, "d", see_app, &seen);
    assert_string_equal(seen.text, "three two");
    seen = (struct seen){.text = ""};
    registry_each_pair_of_device(registry, "nobody", see_app, &seen);
    assert_string_equal(seen.text, "");
}

static void app_topics_of_pairs_are_counted(void **state)
{
    (void)state;
    put_pair("d", "one", "t");
    put_pair("d", "two", "t");
    assert_true(registry_pair_names_topic(registry, "t"));
    put_pair("d", "one", "u");
    assert_true(registry_pair_names_topic(registry, "t"));
    assert_true(registry_pair_names_topic(registry, "u"));
    del(REC_PAIR, &(struct pair){.device_id = "d", .app_id = "two"});
    assert_false(registry_pair_names_topic(registry, "t"));
    put_pair("d", "one", "");
    assert_false(registry_pair_names_topic(registry, "u"));
    assert_false(registry_pair_names_topic(registry, ""));
}

static void commands_of_a_device_come_newest_first_and_are_forgotten(void **state)
{
    (void)state;
    put_command("1", "d", COMMAND_QUEUED);
    put_command("2", "d", COMMAND_QUEUED);
    put_command("3", "e", COMMAND_QUEUED);
    put_command("1", "d", COMMAND_DONE);
    struct seen seen = {.text = ""};
    registry_each_command_of_device(registry, "d", see, &seen);
    assert_string_equal(seen.text, "2 1");
    registry_forget(registry, REC_COMMAND, "1");
    registry_forget(registry, REC_COMMAND, "2"); /* not ended: stays */
    registry_forget(registry, REC_COMMAND, "9");
    seen = (struct seen){.text = ""};
    registry_each_command_of_device(registry, "d", see, &seen);
    assert_string_equal(seen.text, "2");
    struct alert alert = {.id = "a", .topics = (char[]){"x y"}};
    put(REC_ALERT, &alert);
    assert_string_equal(registry_alert(registry, "a")->topics, "x y");
    registry_forget(registry, REC_ALERT, "a");
    assert_null(registry_alert(registry, "a"));
}

static void walks_go_in_the_order_of_first_appearance(void **state)
{
    (void)state;
    put_device("b", "1");
    put_device("c", "2");
    put_device("a", "3");
    put_device("b", "4");
    struct seen seen = {.text = ""};
    registry_each(registry, REC_DEVICE, see, &seen);
    assert_string_equal(seen.text, "b c a");
    seen = (struct seen){.stop_after = 1};
    registry_each(registry, REC_DEVICE, see, &seen);
    assert_string_equal(seen.text, "b");
}

static void data_is_walked_by_seq(void **state)
{
    (void)state;
    put_data("e", 5);
    put_data("g", 7);
    put_data("a", 1);
    put_data("f", 6);
    put_data("z", 9);
    struct seen seen = {.text = ""};
    registry_each(registry, REC_DATA, see, &seen);
    assert_string_equal(seen.text, "a e f g z");
    put_data("a", 8);
    seen = (struct seen){.text = ""};
    registry_each(registry, REC_DATA, see, &seen);
    assert_string_equal(seen.text, "e f g a z");
    assert_int_equal(registry_data(registry, "a")->seq, 8);
}

static void what_is_not_kept_here_is_ignored(void **state)
{
    (void)state;
    put(REC_PICTURE, &(struct picture){.id = "p"});
    put(REC_DOOR_LOG, &(struct door_log){.seq = 1});
    assert_int_equal(registry_count(registry, REC_PICTURE), 0);
    del(REC_DEVICE, &(struct device){.id = "never seen"});
    put(REC_META, &(struct meta){.key = "instance", .value = "x"});
    assert_string_equal(registry_meta(registry, "instance"), "x");
    assert_null(registry_meta(registry, "other"));
    put(REC_TOKEN, &(struct token){.hash = "00ff", .role = ROLE_ADMIN});
    assert_int_equal(registry_token(registry, "00ff")->role, ROLE_ADMIN);
}

/* Random puts and deletes against the plainest model there is. */
static void agrees_with_a_plain_list_after_many_changes(void **state)
{
    (void)state;
    enum { IDS = 40, TOPICS = 25 };
    char topic_of[IDS][8] = {{0}};
    bool there[IDS] = {false};
    unsigned claim[IDS] = {0};
    srand(7);
    for (unsigned step = 1; step < 20000; step++) {
        int id = rand() % IDS;
        struct device device = {.changed_at = 0};
        snprintf(device.id, sizeof(device.id), "d%d", id);
        if (rand() % 3 == 0) {
            del(REC_DEVICE, &device);
            there[id] = false;
        } else {
            int topic = rand() % TOPICS;
            if (topic > 0)
                snprintf(device.topic, sizeof(device.topic), "t%d", topic);
            if (!there[id] || strcmp(topic_of[id], device.topic) != 0)
                claim[id] = step;
            snprintf(topic_of[id], sizeof(topic_of[id]), "%.7s", device.topic);
            there[id] = true;
            put(REC_DEVICE, &device);
        }
        char asked[8];
        snprintf(asked, sizeof(asked), "t%d", rand() % TOPICS);
        int latest = -1;
        size_t count = 0;
        for (int i = 0; i < IDS; i++) {
            count += there[i];
            if (there[i] && strcmp(topic_of[i], asked) == 0 &&
                (latest < 0 || claim[i] > claim[latest]))
                latest = i;
        }
        const struct device *found = registry_device_by_topic(registry, asked);
        assert_int_equal(registry_count(registry, REC_DEVICE), count);
        assert_int_equal(found != NULL, latest >= 0);
        if (found != NULL)
            assert_int_equal(strtol(found->id + 1, NULL, 10), latest);
        assert_int_equal(registry_device(registry, device.id) != NULL, there[id]);
    }
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc has no header for it */
#endif

/* What the program asked malloc for and still has. */
static size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

static void a_hundred_thousand_devices_fit_in_100_mb(void **state)
{
    (void)state;
    size_t before = allocated();
    for (int i = 0; i < 100000; i++) {
        char id[32], topic[32];
        snprintf(id, sizeof(id), "device-%d", i);
        snprintf(topic, sizeof(topic), "to/device-%d", i);
        put_device(id, topic);
    }
    size_t used = allocated() - before;
    print_message("100 000 devices: %zu KB\n", used / 1024);
    assert_true(used < (size_t)100 * 1000 * 1000);
    assert_string_equal(registry_device_by_topic(registry, "to/device-77777")->id, "device-77777");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(finds_by_id_and_by_topic),
        CASE(a_changed_topic_is_found_by_the_new_one_only),
        CASE(an_empty_topic_is_nobodys),
        CASE(a_topic_that_changes_hands_is_found_in_both_orders),
        CASE(a_found_record_may_be_put_back_and_deleted),
        CASE(pairs_are_found_and_walked_newest_first),
        CASE(app_topics_of_pairs_are_counted),
        CASE(commands_of_a_device_come_newest_first_and_are_forgotten),
        CASE(walks_go_in_the_order_of_first_appearance),
        CASE(data_is_walked_by_seq),
        CASE(what_is_not_kept_here_is_ignored),
        CASE(agrees_with_a_plain_list_after_many_changes),
        CASE(a_hundred_thousand_devices_fit_in_100_mb),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
