/* SPDX-License-Identifier: MIT
 *
 * The making and sending of commands: order of commit and publish, handover, refusals, devices that
 * are away, all devices. What is kept for later is in test_command_kept.c, what two askers share in
 * test_command_join.c, the ends in test_command_life.c.
 */
#include "tests/unit/actions/rig.h"

#include <string.h>

static void a_command_is_the_bare_word_at_qos_2_with_its_expiry(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device app 2020-07-31 11:03:20.123456");
    const struct command *command = rig_command(rig, "device");
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(rig_last(rig)->topic, "todevice");
    assert_string_equal(rig_last(rig)->payload, "unlock");
    assert_int_equal(rig_last(rig)->qos, 2);
    assert_int_equal(rig_last(rig)->expiry_s, 10);
    assert_string_equal(rig_last(rig)->tag, command->id);
    assert_int_equal(command->state, COMMAND_SENT);
    assert_string_equal(command->app_id, "app");
    assert_string_equal(command->asked_by, "anonymous");
    assert_int_equal(command->expires_at, RIG_WALL + 10000);
    assert_int_equal(command->expires_boot, RIG_BOOT + 10000);
    rig_mqtt(rig, "lock device");
    assert_string_equal(rig_last(rig)->payload, "lock");
    assert_int_equal(rig_last(rig)->expiry_s, 300);
}

static void sent_is_committed_before_the_publish(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    rig_mqtt(rig, "unlock device");
    assert_int_equal(rig->sent_count, 0);
    const struct batch *batch = rig->keeping;
    bool noted = false, row = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct command *command = batch->changes[i].record;
        noted |= batch->changes[i].kind == REC_COMMAND && command->state == COMMAND_SENT;
        row |= batch->changes[i].kind == REC_DOOR_LOG;
    }
    assert_true(noted && row);
    rig_answer(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void an_unlock_whose_commit_fails_does_not_happen(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->by_hand = true;
    rig_ask(rig, "unlock device", ROLE_ADMIN, &answer);
    rig->fail = ERR_NOT_KEPT;
    rig_answer(rig);
    assert_int_equal(answer, ERR_NOT_KEPT);
    rig_answer(rig); /* the reload */
    rig_ask(rig, "unlock device", ROLE_ADMIN, &answer);
    assert_int_equal(answer, ERR_NOT_KEPT); /* refused at once */
    assert_true(rig_counter(rig, COUNTER_NOT_KEPT) > 0);
    rig->fail = ERR_OK;
    turn_tick(rig->turn);
    rig_answer(rig); /* the probe */
    commands_recover(rig->actions);
    rig->by_hand = false;
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 0);
    rig_ask(rig, "unlock device", ROLE_ADMIN, &answer);
    assert_int_equal(rig->sent_count, 1);
}

static void an_asker_is_answered_when_the_broker_has_it_and_that_is_on_disk(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, RIG_WAITING);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_SENT);
    commands_taken(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    assert_int_equal(answer, ERR_OK);
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_DELIVERED);
}

static void without_the_acknowledgement_within_a_second_the_link_is_ended(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    rig_advance(rig, 999);
    assert_int_equal(answer, RIG_WAITING);
    assert_true(actions_next_due(rig->actions) <= rig->boot + 1);
    rig_advance(rig, 1);
    assert_int_equal(answer, ERR_NOT_HANDED_OVER);
    assert_int_equal(rig->drops, 1);
    /* The broker never took it, so it can't be delivered. */
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_EXPIRED);
    rig_advance(rig, 5000);
    assert_int_equal(rig->drops, 1);
}

static void a_taken_one_without_completion_ends_as_unknown_and_with_its_link(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    commands_taken(rig->actions, rig_last(rig)->tag);
    enum err joiner;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &joiner);
    rig_advance(rig, 1000);
    assert_int_equal(answer, ERR_OK);
    assert_int_equal(joiner, ERR_OK);
    assert_int_equal(rig->drops, 0);
    rig_advance(rig, 9000);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_UNKNOWN);
    assert_int_equal(rig->sent_count, 1);
    /* What the library still holds of it must not leave any more. */
    assert_int_equal(rig->drops, 1);
}

static void a_broker_that_says_no_ends_it_as_refused(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    commands_rejected(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    assert_int_equal(answer, ERR_NOT_HANDED_OVER);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_REFUSED);
}

static void a_publish_that_fails_leaves_nothing_behind(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->publish_error = ERR_NO_LINK;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_LINK);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_EXPIRED);
    rig->publish_error = ERR_OK;
    commands_link_up(rig->actions);
    rig_advance(rig, 1000);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig->drops, 0);
}

static void without_a_link_an_unlock_is_refused_at_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->link = false;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_LINK);
    rig_link_up(rig);
    rig_advance(rig, 100);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig_rows(rig, "NO_LINK"), 1);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_REFUSED), 1);
}

static void an_unlock_for_a_device_that_is_away_is_refused_at_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_presence(rig, "device", PRESENCE_AWAY);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_AWAY);
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 0);
}

static void after_a_standstill_unlocks_are_refused_until_it_is_over(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    commands_stalled(rig->actions);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_STALLED);
    assert_int_equal(rig->sent_count, 0);
    commands_awake(rig->actions);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 1);
}

static void an_unlock_that_lay_unread_is_refused_and_a_lock_is_not(void **state)
{
    struct rig *rig = *state;
    struct caller caller = {.name = "late", .role = ROLE_MEMBER, .way = "mqtt", .late = true};
    action_payload(rig->actions, &caller, "unlock device", strlen("unlock device"));
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 0);
    action_payload(rig->actions, &caller, "lock device", strlen("lock device"));
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
}

static void an_unlock_that_waited_for_its_commit_through_a_standstill_is_not_sent(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->by_hand = true;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    commands_stalled(rig->actions);
    commands_awake(rig->actions);
    rig_answer(rig);
    rig_answer_all(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(answer, ERR_STALLED);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_EXPIRED);
}

static void an_unlock_whose_commit_took_too_long_is_not_sent(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->by_hand = true;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    rig->boot += 9001;
    rig->wall -= 3600000;
    rig_answer(rig);
    rig_answer_all(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(answer, ERR_EXPIRED);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_EXPIRED);
}

static void an_unlock_whose_link_went_while_it_was_committed_is_not_sent(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->by_hand = true;
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    rig->link = false;
    commands_link_down(rig->actions);
    rig->link = true;
    commands_link_up(rig->actions);
    rig_answer_all(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(answer, ERR_NO_LINK);
}

static void an_unknown_device_gets_nothing_and_is_counted(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "unlock nobody", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_DEVICE);
    rig_mqtt(rig, "lock nobody");
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_DEVICE), 2);
    assert_int_equal(rig_rows(rig, "NO_DEVICE"), 2);
}

static void no_id_and_a_star_mean_every_device(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_board(rig, "device2", "todevice2");
    rig_board(rig, "device3", "todevice3");
    rig_ask(rig, "lock", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 3);
    commands_handed_over(rig->actions, rig->sent[0].tag);
    commands_handed_over(rig->actions, rig->sent[1].tag);
    rig_settle(rig);
    assert_int_equal(answer, RIG_WAITING);
    commands_handed_over(rig->actions, rig->sent[2].tag);
    rig_settle(rig);
    assert_int_equal(answer, ERR_OK);
    rig_mqtt(rig, "unlock *");
    assert_int_equal(rig_count_sent(rig, "todevice3", "unlock"), 1);
    assert_int_equal(rig->sent_count, 6);
}

static void two_devices_of_one_topic_are_told_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    struct device twin = {.id = "todevice", .topic = "todevice", .created_at = 1};
    assert_int_equal(turn_put(rig->turn, REC_DEVICE, &twin), ERR_OK);
    rig_settle(rig);
    rig_ask(rig, "unlock", ROLE_MEMBER, &answer);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
    rig_hand_over(rig);
    assert_int_equal(answer, ERR_OK);
}

static void of_several_the_reachable_ones_get_it_and_the_answer_is_no(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_board(rig, "device2", "todevice2");
    rig_presence(rig, "device2", PRESENCE_AWAY);
    rig_ask(rig, "unlock *", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 1);
    assert_int_equal(answer, RIG_WAITING);
    rig_hand_over(rig);
    assert_int_equal(answer, ERR_AWAY);
}

static void all_of_none_is_no_device(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "lock", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_DEVICE);
    assert_int_equal(rig_rows(rig, "NO_DEVICE"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_board, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_the_bare_word_at_qos_2_with_its_expiry),
        TEST(sent_is_committed_before_the_publish),
        TEST(an_unlock_whose_commit_fails_does_not_happen),
        TEST(an_asker_is_answered_when_the_broker_has_it_and_that_is_on_disk),
        TEST(without_the_acknowledgement_within_a_second_the_link_is_ended),
        TEST(a_taken_one_without_completion_ends_as_unknown_and_with_its_link),
        TEST(a_broker_that_says_no_ends_it_as_refused),
        TEST(a_publish_that_fails_leaves_nothing_behind),
        TEST(without_a_link_an_unlock_is_refused_at_once),
        TEST(an_unlock_for_a_device_that_is_away_is_refused_at_once),
        TEST(after_a_standstill_unlocks_are_refused_until_it_is_over),
        TEST(an_unlock_that_lay_unread_is_refused_and_a_lock_is_not),
        TEST(an_unlock_that_waited_for_its_commit_through_a_standstill_is_not_sent),
        TEST(an_unlock_whose_commit_took_too_long_is_not_sent),
        TEST(an_unlock_whose_link_went_while_it_was_committed_is_not_sent),
        TEST(an_unknown_device_gets_nothing_and_is_counted),
        TEST(no_id_and_a_star_mean_every_device),
        TEST(two_devices_of_one_topic_are_told_once),
        TEST(of_several_the_reachable_ones_get_it_and_the_answer_is_no),
        cmocka_unit_test_setup_teardown(all_of_none_is_no_device, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
