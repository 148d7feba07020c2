/* SPDX-License-Identifier: MIT
 *
 * Hand-shakes: their literal answers, who gives way to whom, what is refused and where a refusal
 * may go.
 */
#include "tests/unit/actions/rig.h"

#include <stdio.h>
#include <string.h>

static const struct device *device_of(struct rig *rig, const char *id)
{
    return registry_device(rig_registry(rig), id);
}

static const struct app *app_of(struct rig *rig, const char *id)
{
    return registry_app(rig_registry(rig), id);
}

static void assert_sent(struct rig *rig, size_t index, const char *topic, const char *payload)
{
    assert_true(index < rig->sent_count);
    assert_string_equal(rig->sent[index].topic, topic);
    assert_string_equal(rig->sent[index].payload, payload);
    assert_int_equal(rig->sent[index].qos, 1);
    assert_int_equal(rig->sent[index].expiry_s, 0);
}

static void a_boards_hand_shake_is_recorded_and_answered_to_the_board(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device device todevice app toapp 20200731110320");
    assert_int_equal(rig->sent_count, 1);
    assert_sent(rig, 0, "todevice", "hand_shake app device 0");
    assert_string_equal(device_of(rig, "device")->topic, "todevice");
    assert_true(device_of(rig, "device")->spoke);
    assert_int_equal(device_of(rig, "device")->seen_at, RIG_WALL);
    assert_false(app_of(rig, "app")->spoke);
    assert_string_equal(app_of(rig, "app")->topic, "toapp");
    assert_string_equal(registry_pair(rig_registry(rig), "device", "app")->app_topic, "toapp");
    assert_int_equal(rig->topic_changes, 1);
}

static void a_phones_hand_shake_is_recorded_and_answered_to_the_phone(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_app device todevice app toapp 2020-07-31 11:03:20.123456");
    assert_int_equal(rig->sent_count, 1);
    assert_sent(rig, 0, "toapp",
                "{\"action_name\":\"hand_shake\",\"device_id\":\"device\",\"device_topic\":"
                "\"todevice\",\"app_id\":\"app\",\"app_topic\":\"toapp\",\"state\":0}");
    assert_true(app_of(rig, "app")->spoke);
    assert_false(device_of(rig, "device")->spoke);
    assert_string_equal(device_of(rig, "device")->topic, "todevice");
    assert_int_equal(device_of(rig, "device")->seen_at, 0);
}

static void hand_shake_is_both_with_both_answers(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    assert_int_equal(rig->sent_count, 2);
    assert_sent(rig, 0, "todevice", "hand_shake app device 0");
    assert_string_equal(rig->sent[1].topic, "toapp");
    assert_true(device_of(rig, "device")->spoke && app_of(rig, "app")->spoke);
}

static void ids_are_escaped_in_the_json(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_app de\"vi\\ce todevice app toapp");
    assert_non_null(strstr(rig_last(rig)->payload, "\"device_id\":\"de\\\"vi\\\\ce\""));
}

static void the_existing_phone_may_call_itself_other_than_the_board_was_told(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device device todevice app app 20200731110320");
    rig_mqtt(rig, "add_app device todevice app toapp 2020-07-31 11:03:20.123456");
    assert_non_null(strstr(rig_last(rig)->payload, "\"state\":0}"));
    assert_string_equal(app_of(rig, "app")->topic, "toapp");
    /* The board goes on answering where it was told to. */
    assert_string_equal(registry_pair(rig_registry(rig), "device", "app")->app_topic, "app");
    rig_mqtt(rig, "add_device device todevice app app 20200731110320");
    assert_string_equal(rig_last(rig)->payload, "hand_shake app device 0");
    assert_string_equal(app_of(rig, "app")->topic, "toapp");
}

static void who_repeats_itself_is_welcome_and_nothing_is_new(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    int changes = rig->topic_changes;
    rig->wall += 5000;
    rig_mqtt(rig, "add_device device todevice app toapp");
    rig_mqtt(rig, "add_app device todevice app toapp");
    assert_int_equal(rig->sent_count, 4);
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 0);
    assert_int_equal(device_of(rig, "device")->created_at, RIG_WALL);
    assert_int_equal(device_of(rig, "device")->seen_at, RIG_WALL + 5000);
    assert_int_equal(rig->topic_changes, changes);
}

static void hostile_names_are_refused_and_never_published_to(void **state)
{
    struct rig *rig = *state;
    char payload[1024], longest[130];
    memset(longest, 'x', 129);
    longest[129] = '\0';
    const char *const bad[] = {"a+b", "#", "+", "$SYS", "a/#", longest};
    size_t count = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t k = 0; k < 4; k++, count++) {
            snprintf(payload, sizeof payload, "hand_shake %s %s %s %s", k == 0 ? bad[i] : "device",
                     k == 1 ? bad[i] : "todevice", k == 2 ? bad[i] : "app",
                     k == 3 ? bad[i] : "toapp");
            rig->sent_count = 0;
            rig_mqtt(rig, payload);
            assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), count + 1);
            for (size_t s = 0; s < rig->sent_count; s++) {
                assert_string_not_equal(rig->sent[s].topic, bad[i]);
                assert_null(strstr(rig->sent[s].payload, bad[i]));
                assert_true(strstr(rig->sent[s].payload, "\"state\":1}") ||
                            strstr(rig->sent[s].payload, " 1"));
            }
            assert_int_equal(rig->sent_count, k == 1 || k == 3 ? 1 : 2);
        }
    }
    assert_int_equal(registry_count(rig_registry(rig), REC_DEVICE), 0);
    assert_int_equal(registry_count(rig_registry(rig), REC_APP), 0);
    assert_int_equal(rig->topic_changes, 0);
}

static void a_refused_board_reads_a_one_as_the_last_word(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device device todevice a+pp app 1");
    assert_sent(rig, 0, "todevice", "hand_shake - device 1");
}

static void the_servers_topic_cannot_be_claimed(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device device toserver app app");
    rig_mqtt(rig, "add_app device todevice app toserver");
    rig_mqtt(rig, "add_device device todevice app toserver");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 3);
    assert_int_equal(rig_count_sent(rig, "toserver", NULL), 0);
    assert_int_equal(registry_count(rig_registry(rig), REC_DEVICE), 0);
}

static void one_hand_shake_cannot_use_a_name_twice(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake same todevice same toapp");
    rig_mqtt(rig, "hand_shake device same app same");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 2);
    assert_int_equal(registry_count(rig_registry(rig), REC_DEVICE), 0);
}

static void what_another_board_holds_is_refused_and_it_hears_nothing(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    rig_mqtt(rig, "add_device stranger todevice app app");
    assert_int_equal(rig->sent_count, 0);
    assert_null(device_of(rig, "stranger"));
    rig_mqtt(rig, "add_device device tostranger app app");
    assert_string_equal(device_of(rig, "device")->topic, "todevice");
    assert_int_equal(rig->sent_count, 1);
    assert_sent(rig, 0, "tostranger", "hand_shake app device 1");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 2);
}

static void what_another_phone_holds_is_refused_and_it_hears_nothing(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_app device todevice app toapp");
    rig->sent_count = 0;
    rig_mqtt(rig, "add_app device todevice stranger toapp");
    assert_int_equal(rig->sent_count, 0);
    assert_null(app_of(rig, "stranger"));
    rig_mqtt(rig, "add_app device todevice app tostranger");
    assert_string_equal(app_of(rig, "app")->topic, "toapp");
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(rig_last(rig)->topic, "tostranger");
    assert_non_null(strstr(rig_last(rig)->payload, "\"state\":1}"));
}

static void a_phone_cannot_take_a_boards_topic_nor_a_board_a_phones(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    rig->sent_count = 0;
    rig_mqtt(rig, "add_app x tox stranger todevice");
    rig_mqtt(rig, "add_device stranger toapp y toy");
    rig_mqtt(rig, "add_device stranger tostranger y todevice");
    rig_mqtt(rig, "add_app stranger toapp y toy");
    rig_mqtt(rig, "add_device app tostranger y toy");
    rig_mqtt(rig, "add_app x tox device toy");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 6);
    assert_int_equal(rig_count_sent(rig, "todevice", NULL), 0);
    assert_int_equal(rig_count_sent(rig, "toapp", NULL), 0);
    assert_int_equal(registry_count(rig_registry(rig), REC_DEVICE), 1);
    assert_int_equal(registry_count(rig_registry(rig), REC_APP), 1);
}

static void a_refusal_does_not_go_where_a_board_was_told_to_answer(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_device device todevice app app");
    rig_mqtt(rig, "add_app device todevice app toapp"); /* `app` is no app's own topic now */
    rig->sent_count = 0;
    rig_mqtt(rig, "add_app x+ todevice stranger app");
    assert_int_equal(rig->sent_count, 0);
}

static void a_provisional_holder_gives_its_topic_to_one_that_speaks(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_app first todevice app toapp"); /* names a device */
    rig_mqtt(rig, "add_device second todevice app app");
    assert_string_equal(device_of(rig, "first")->topic, "");
    assert_string_equal(device_of(rig, "second")->topic, "todevice");
    rig_mqtt(rig, "add_device third tothird guest toguest"); /* names an app */
    rig_mqtt(rig, "add_app third tothird phone toguest");
    assert_string_equal(app_of(rig, "guest")->topic, "");
    assert_string_equal(app_of(rig, "phone")->topic, "toguest");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 0);
    /* A device without a topic is not reached, and gets one when it speaks. */
    rig->sent_count = 0;
    rig_mqtt(rig, "unlock first");
    assert_int_equal(rig->sent_count, 0);
    rig_mqtt(rig, "add_device first tofirst app toapp");
    rig_mqtt(rig, "unlock first");
    assert_int_equal(rig_count_sent(rig, "tofirst", "unlock"), 1);
}

static void what_is_only_named_changes_nobody_that_spoke(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    rig_mqtt(rig, "add_app device elsewhere phone tophone");
    assert_string_equal(device_of(rig, "device")->topic, "todevice");
    rig_mqtt(rig, "add_device second tosecond app elsewhere");
    assert_string_equal(app_of(rig, "app")->topic, "toapp");
    /* Named with a topic that another holds: known, but without that topic. */
    rig_mqtt(rig, "add_app ghost todevice phone tophone");
    assert_string_equal(device_of(rig, "ghost")->topic, "");
    assert_int_equal(rig_counter(rig, COUNTER_HAND_SHAKE_REFUSED), 0);
}

static void a_named_device_can_be_commanded(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "add_app device todevice app toapp");
    rig_mqtt(rig, "unlock device app");
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

static void answers_leave_after_the_commit(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig->topic_changes, 0);
    rig_answer(rig);
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig->topic_changes, 1);
}

static void when_the_commit_fails_there_is_no_answer(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    rig->fail = ERR_NOT_KEPT;
    rig_answer(rig);
    rig_answer(rig); /* the reload */
    assert_int_equal(rig->sent_count, 0);
    assert_null(device_of(rig, "device"));
    rig_mqtt(rig, "hand_shake device todevice app toapp"); /* refused at once: no answer either */
    assert_int_equal(rig->sent_count, 0);
    rig->fail = ERR_OK;
    turn_tick(rig->turn);
    rig_answer(rig); /* the probe */
    rig->by_hand = false;
    rig_mqtt(rig, "hand_shake device todevice app toapp");
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig->topic_changes, 1);
}

static void topics_of_one_batch_are_told_once(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "data key value");
    rig->by_hand = true;
    rig_mqtt(rig, "data key value");
    rig_mqtt(rig, "add_device a toa app app");
    rig_mqtt(rig, "add_device b tob app app");
    rig_mqtt(rig, "add_device c toc app app");
    rig_answer(rig);
    rig_answer(rig);
    assert_int_equal(rig->sent_count, 3);
    assert_int_equal(rig->topic_changes, 1);
}

static void when_pairing_is_closed_only_who_repeats_itself_is_welcome(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, RIG_HAND_SHAKE);
    rig_mqtt(rig, "add_app device todevice app toapp 1 2");
    static const enum pairing shut[] = {PAIRING_CLOSED, PAIRING_WINDOW};
    for (size_t i = 0; i < 2; i++) {
        rig->options.pairing = shut[i];
        rig_restart(rig);
        rig->sent_count = 0;
        rig_mqtt(rig, RIG_HAND_SHAKE);
        assert_sent(rig, 0, "todevice", "hand_shake app device 0");
        rig_mqtt(rig, "add_app device todevice app toapp 1 2");
        assert_non_null(strstr(rig_last(rig)->payload, "\"state\":0}"));
        rig_mqtt(rig, "add_device new tonew app app 1");
        assert_sent(rig, 2, "tonew", "hand_shake app new 1");
        rig_mqtt(rig, "add_device device todevice evil toevil 1"); /* a pair that is new */
        assert_sent(rig, 3, "todevice", "hand_shake evil device 1");
        rig_mqtt(rig, "add_app device todevice phone tophone 1 2");
        assert_string_equal(rig_last(rig)->topic, "tophone");
        assert_non_null(strstr(rig_last(rig)->payload, "\"state\":1}"));
        assert_null(device_of(rig, "new"));
        assert_null(app_of(rig, "evil"));
        assert_int_equal(registry_count(rig_registry(rig), REC_PAIR), 1);
    }
}

static void a_board_that_speaks_again_is_not_away(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    struct device device = *device_of(rig, "device");
    device.presence = PRESENCE_AWAY;
    assert_int_equal(turn_put(rig->turn, REC_DEVICE, &device), ERR_OK);
    rig_mqtt(rig, "add_device device todevice app app");
    assert_int_equal(device_of(rig, "device")->presence, PRESENCE_UNKNOWN);
    rig_mqtt(rig, "unlock device");
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_boards_hand_shake_is_recorded_and_answered_to_the_board),
        TEST(a_phones_hand_shake_is_recorded_and_answered_to_the_phone),
        TEST(hand_shake_is_both_with_both_answers),
        TEST(ids_are_escaped_in_the_json),
        TEST(the_existing_phone_may_call_itself_other_than_the_board_was_told),
        TEST(who_repeats_itself_is_welcome_and_nothing_is_new),
        TEST(hostile_names_are_refused_and_never_published_to),
        TEST(a_refused_board_reads_a_one_as_the_last_word),
        TEST(the_servers_topic_cannot_be_claimed),
        TEST(one_hand_shake_cannot_use_a_name_twice),
        TEST(what_another_board_holds_is_refused_and_it_hears_nothing),
        TEST(what_another_phone_holds_is_refused_and_it_hears_nothing),
        TEST(a_phone_cannot_take_a_boards_topic_nor_a_board_a_phones),
        TEST(a_refusal_does_not_go_where_a_board_was_told_to_answer),
        TEST(a_provisional_holder_gives_its_topic_to_one_that_speaks),
        TEST(what_is_only_named_changes_nobody_that_spoke),
        TEST(a_named_device_can_be_commanded),
        TEST(answers_leave_after_the_commit),
        TEST(when_the_commit_fails_there_is_no_answer),
        TEST(topics_of_one_batch_are_told_once),
        TEST(when_pairing_is_closed_only_who_repeats_itself_is_welcome),
        TEST(a_board_that_speaks_again_is_not_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
