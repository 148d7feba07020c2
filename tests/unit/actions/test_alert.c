/* SPDX-License-Identifier: MIT
 *
 * Strangers at the door: joining, waiting for the picture, sending once and after the commit, which
 * alert a picture belongs to.
 */
#include "tests/unit/actions/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int setup_house(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    int failed = rig_setup(state);
    if (failed)
        return failed;
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    rig_mqtt(rig, "add_app device todevice app2 toapp2");
    rig_mqtt(rig, "hand_shake camera tocamera app3 toapp3");
    rig->sent_count = 0;
    return 0;
}

static bool visit_last(void *arg, const void *record)
{
    *(const void **)arg = record;
    return true;
}

static const struct alert *alert_of(struct rig *rig)
{
    const void *found = NULL;
    registry_each(rig_registry(rig), REC_ALERT, visit_last, &found);
    assert_non_null(found);
    return found;
}

static size_t alerts(struct rig *rig)
{
    return registry_count(rig_registry(rig), REC_ALERT);
}

static void on_kept(void *arg, enum err result)
{
    *(enum err *)arg = result;
}

static enum err upload(struct rig *rig, const char *id, const char *topic)
{
    struct picture picture = {.type = "image/jpeg", .width = 2, .height = 2, .bytes = 100};
    snprintf(picture.id, sizeof picture.id, "%s", id);
    snprintf(picture.topic, sizeof picture.topic, "%s", topic);
    enum err result = RIG_WAITING;
    alert_picture_stored(rig->actions, &picture, on_kept, &result);
    rig_settle(rig);
    return result;
}

static const struct picture *stored_picture(struct rig *rig)
{
    for (size_t i = rig->disk->count; i > 0; i--)
        if (rig->disk->changes[i - 1].kind == REC_PICTURE)
            return rig->disk->changes[i - 1].record;
    fail_msg("no picture");
    return NULL;
}

static void without_a_picture_it_is_sent_after_the_wait_and_once(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 2 toapp toapp2 20200731110320");
    assert_int_equal(rig->sent_count, 0);
    rig_advance(rig, 4999);
    assert_int_equal(rig->sent_count, 0);
    assert_true(actions_next_due(rig->actions) <= rig->boot + 1);
    rig_advance(rig, 1);
    char expected[600];
    const struct alert *alert = alert_of(rig);
    snprintf(expected, sizeof expected,
             "find_stranger 20200913122640 http://gate.test:5000/pic/%s?c=%s", alert->id,
             alert->capability);
    assert_int_equal(rig->sent_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(rig->sent[i].topic, i ? "toapp2" : "toapp");
        assert_string_equal(rig->sent[i].payload, expected);
        assert_int_equal(rig->sent[i].qos, 2);
    }
    assert_int_equal(alert->sent_at, RIG_WALL + 5000);
    assert_string_equal(alert->claimed, "20200731110320");
    assert_string_not_equal(alert->id, alert->capability);
    assert_int_equal(strlen(alert->capability), 32);
    rig_advance(rig, 5000);
    assert_int_equal(upload(rig, "p1", "fixed text"), ERR_OK);
    assert_int_equal(rig->sent_count, 2);
    assert_string_equal(alert_of(rig)->picture_id, "p1");
}

static void with_its_picture_it_is_sent_at_once_and_once(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 20200731110320");
    rig_advance(rig, 300);
    assert_int_equal(upload(rig, "p1", "fixed text"), ERR_OK);
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(alert_of(rig)->picture_id, "p1");
    assert_string_equal(stored_picture(rig)->alert_id, alert_of(rig)->id);
    assert_int_equal(stored_picture(rig)->created_at, RIG_WALL + 300);
    rig_advance(rig, 10000);
    assert_int_equal(rig->sent_count, 1);
}

static void reports_of_each_frame_within_ten_seconds_are_one(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 2 toapp toapp2 20200731110320");
    for (int i = 0; i < 9; i++) {
        rig_advance(rig, 1000);
        rig_mqtt(rig, "find_stranger 3 toapp2 toapp toapp 20200731110321"); /* the same set */
    }
    assert_int_equal(alerts(rig), 1);
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig_counter(rig, COUNTER_ALERTS), 1);
    assert_int_equal(rig_counter(rig, COUNTER_ALERTS_JOINED), 9);
    rig_advance(rig, 1000);
    rig_mqtt(rig, "find_stranger 2 toapp toapp2 20200731110330");
    assert_int_equal(alerts(rig), 2);
}

static void other_topics_or_another_camera_are_another_alert(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig_mqtt(rig, "find_stranger 2 toapp toapp2 1");
    rig_mqtt(rig, "find_stranger 1 toapp camera 1");
    assert_int_equal(alerts(rig), 3);
    assert_string_equal(alert_of(rig)->device_id, "camera");
    assert_int_equal(rig_counter(rig, COUNTER_ALERTS_JOINED), 0);
}

static void unknown_topics_are_skipped_and_counted(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 5 nowhere toapp todevice toserver a/+ 1");
    assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_TOPIC), 4);
    rig_advance(rig, 5000);
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(rig_last(rig)->topic, "toapp");
}

static void where_a_board_was_told_to_answer_is_an_apps_topic_too(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device door todoor app app");
    rig->sent_count = 0;
    rig_mqtt(rig, "find_stranger 1 app 1");
    rig_advance(rig, 5000);
    assert_int_equal(rig_count_sent(rig, "app", NULL), 1);
}

static void without_any_known_topic_it_waits_for_its_picture_all_the_same(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 nowhere camera 1");
    assert_int_equal(alerts(rig), 1);
    rig_advance(rig, 5000);
    assert_int_equal(rig->sent_count, 0);
    assert_true(alert_of(rig)->sent_at > 0);
    assert_int_equal(upload(rig, "p1", "camera"), ERR_OK);
    assert_string_equal(alert_of(rig)->picture_id, "p1");
    assert_int_equal(alerts(rig), 1);
    assert_int_equal(rig->sent_count, 0);
}

static void counts_that_do_not_fit_are_refused(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {
        "find_stranger 0 toapp 1",          "find_stranger -1 toapp 1",
        "find_stranger 01 toapp 1",         "find_stranger x toapp 1",
        "find_stranger 2 toapp 1",          "find_stranger 1 toapp camera 1 2",
        "find_stranger 33 toapp 1",         "find_stranger 1e1 toapp 1",
        "find_stranger 99999999999 toapp 1"};
    size_t count = sizeof bad / sizeof bad[0];
    for (size_t i = 0; i < count; i++)
        rig_mqtt(rig, bad[i]);
    assert_int_equal(rig_counter(rig, COUNTER_BAD_ARGUMENTS), count);
    assert_int_equal(alerts(rig), 0);
}

static void thirty_two_topics_fit(void **state)
{
    struct rig *rig = *state;
    char payload[1024] = "find_stranger 32";
    size_t len = strlen(payload);
    for (int i = 0; i < 32; i++)
        len += (size_t)snprintf(payload + len, sizeof payload - len, " toapp");
    snprintf(payload + len, sizeof payload - len, " camera 1");
    rig_mqtt(rig, payload);
    assert_string_equal(alert_of(rig)->topics, "toapp");
}

static void it_leaves_after_the_commit_that_notes_it(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig->by_hand = true;
    rig_advance(rig, 5000);
    assert_int_equal(rig->sent_count, 0);
    rig_answer(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void when_that_commit_fails_it_is_sent_later(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig->by_hand = true;
    rig->fail = ERR_NOT_KEPT;
    rig_advance(rig, 5000);
    rig_answer(rig);
    rig_answer(rig); /* the reload */
    rig_advance(rig, 1000);
    assert_int_equal(rig->sent_count, 0);
    rig->fail = ERR_OK;
    turn_tick(rig->turn);
    rig_answer(rig); /* the probe */
    rig->by_hand = false;
    commands_recover(rig->actions);
    rig_settle(rig);
    rig_advance(rig, 1000);
    assert_int_equal(rig->sent_count, 1);
}

static void without_a_link_it_waits_for_the_link(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig_advance(rig, 5000);
    rig_advance(rig, 300000);
    assert_int_equal(alert_of(rig)->sent_at, 0);
    rig->link = true;
    commands_link_up(rig->actions);
    alerts_recover(rig->actions); /* asking twice sends once */
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void a_stranger_of_ten_minutes_ago_is_no_news(void **state)
{
    struct rig *rig = *state;
    rig->link = false;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig_advance(rig, 5000);
    rig_advance(rig, 595000);
    rig->link = true;
    commands_link_up(rig->actions);
    rig_settle(rig);
    rig_advance(rig, 1000);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(alerts(rig), 0);
}

static void a_link_that_goes_during_the_commit_costs_nothing(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig->by_hand = true;
    rig_advance(rig, 5000);
    rig->link = false;
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(alert_of(rig)->sent_at, 0);
    rig->link = true;
    commands_link_up(rig->actions);
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void after_a_start_it_goes_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig_advance(rig, 2000);
    rig_restart(rig);
    assert_int_equal(rig->sent_count, 0);
    rig_advance(rig, 3000);
    assert_int_equal(rig->sent_count, 1);
    rig_restart(rig);
    rig_advance(rig, 5000);
    assert_int_equal(rig->sent_count, 1);
}

static void a_picture_belongs_to_the_newest_waiting_alert_of_its_device(void **state)
{
    struct rig *rig = *state;
    char named[SECRET_ID_SIZE], newest[SECRET_ID_SIZE];
    rig_mqtt(rig, "find_stranger 1 toapp camera 1");
    rig_advance(rig, 10000);
    rig_mqtt(rig, "find_stranger 1 toapp camera 1");
    memcpy(named, alert_of(rig)->id, sizeof named);
    rig_mqtt(rig, "find_stranger 1 toapp2 1");
    memcpy(newest, alert_of(rig)->id, sizeof newest);
    upload(rig, "p1", "camera");
    assert_string_equal(stored_picture(rig)->alert_id, named);
    upload(rig, "p2", "todevice");
    assert_string_equal(stored_picture(rig)->alert_id, newest);
    assert_int_equal(alerts(rig), 3);
}

static void an_alert_waits_for_its_picture_for_a_minute(void **state)
{
    struct rig *rig = *state;
    char id[SECRET_ID_SIZE];
    rig_mqtt(rig, "find_stranger 1 toapp camera 1");
    memcpy(id, alert_of(rig)->id, sizeof id);
    rig_advance(rig, 59999);
    upload(rig, "p1", "camera");
    assert_string_equal(stored_picture(rig)->alert_id, id);
    rig_mqtt(rig, "find_stranger 1 toapp camera 1");
    memcpy(id, alert_of(rig)->id, sizeof id);
    rig_advance(rig, 60000);
    upload(rig, "p2", "camera");
    assert_string_not_equal(stored_picture(rig)->alert_id, id);
}

static void a_picture_without_an_alert_makes_one_for_the_apps_of_its_device(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(upload(rig, "p1", "device"), ERR_OK);
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig_count_sent(rig, "toapp", NULL), 1);
    assert_int_equal(rig_count_sent(rig, "toapp2", NULL), 1);
    assert_string_equal(alert_of(rig)->device_id, "device");
    assert_int_equal(upload(rig, "p2", "nobody"), ERR_OK);
    assert_int_equal(rig->sent_count, 2);
    assert_string_equal(alert_of(rig)->picture_id, "p2");
}

static void a_picture_is_acknowledged_only_when_it_is_kept(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    struct picture picture = {.id = "p1", .topic = "device"};
    enum err result = RIG_WAITING;
    alert_picture_stored(rig->actions, &picture, on_kept, &result);
    rig_settle(rig);
    assert_int_equal(result, RIG_WAITING);
    rig->fail = ERR_DISK_FULL;
    rig_answer(rig);
    assert_int_equal(result, ERR_DISK_FULL);
    assert_int_equal(rig->sent_count, 0);
    rig_answer(rig);
    assert_int_equal(upload(rig, "p2", "device"), ERR_DISK_FULL);
}

static void a_closed_alert_is_forgotten(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "find_stranger 1 toapp 1");
    rig_advance(rig, 5000);
    rig_advance(rig, 55000);
    assert_int_equal(alerts(rig), 0);
    assert_int_equal(actions_next_due(rig->actions), INT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_house, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_picture_it_is_sent_after_the_wait_and_once),
        TEST(with_its_picture_it_is_sent_at_once_and_once),
        TEST(reports_of_each_frame_within_ten_seconds_are_one),
        TEST(other_topics_or_another_camera_are_another_alert),
        TEST(unknown_topics_are_skipped_and_counted),
        TEST(where_a_board_was_told_to_answer_is_an_apps_topic_too),
        TEST(without_any_known_topic_it_waits_for_its_picture_all_the_same),
        TEST(counts_that_do_not_fit_are_refused),
        TEST(thirty_two_topics_fit),
        TEST(it_leaves_after_the_commit_that_notes_it),
        TEST(when_that_commit_fails_it_is_sent_later),
        TEST(without_a_link_it_waits_for_the_link),
        TEST(a_stranger_of_ten_minutes_ago_is_no_news),
        TEST(a_link_that_goes_during_the_commit_costs_nothing),
        TEST(after_a_start_it_goes_on_where_it_was),
        TEST(a_picture_belongs_to_the_newest_waiting_alert_of_its_device),
        TEST(an_alert_waits_for_its_picture_for_a_minute),
        TEST(a_picture_without_an_alert_makes_one_for_the_apps_of_its_device),
        TEST(a_picture_is_acknowledged_only_when_it_is_kept),
        TEST(a_closed_alert_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
