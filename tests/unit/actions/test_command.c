/* SPDX-License-Identifier: MIT
 *
 * The making and sending of commands: order of commit and publish, handover, joining, refusals,
 * devices that are away, all devices. Their ends are in test_command_life.c.
 */
#include "tests/unit/actions/rig.h"

#include <stdio.h>
#include <string.h>

static int setup_board(void **state)
{
    int failed = rig_setup(state);
    if (!failed)
        rig_board(*state, "device", "todevice");
    return failed;
}

static void hand_over(struct rig *rig)
{
    commands_taken(rig->actions, rig_last(rig)->tag);
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
}

static void set_presence(struct rig *rig, const char *id, enum presence presence)
{
    struct device device = *registry_device(rig_registry(rig), id);
    device.presence = presence;
    assert_int_equal(turn_put(rig->turn, REC_DEVICE, &device), ERR_OK);
    rig_settle(rig);
}

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

static void a_lock_that_the_broker_did_not_take_goes_out_with_the_next_link(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    rig_advance(rig, 1000);
    assert_int_equal(answer, ERR_NOT_HANDED_OVER);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_QUEUED);
    rig->link = true;
    commands_link_up(rig->actions);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
    assert_int_equal(rig_last(rig)->expiry_s, 299);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_SENT);
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
    rig->link = true;
    commands_link_up(rig->actions);
    rig_advance(rig, 100);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig_rows(rig, "NO_LINK"), 1);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_REFUSED), 1);
}

static void an_unlock_for_a_device_that_is_away_is_refused_at_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    set_presence(rig, "device", PRESENCE_AWAY);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_AWAY);
    rig_mqtt(rig, "add_device device todevice app app 1");
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
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
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
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
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
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(answer, ERR_NO_LINK);
}

static void a_kept_lock_is_sent_once_however_links_and_commits_interleave(void **state)
{
    struct rig *rig = *state;
    rig->by_hand = true;
    rig_mqtt(rig, "lock device");
    commands_link_down(rig->actions);
    commands_link_up(rig->actions);
    rig->by_hand = false;
    rig_answer(rig);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
}

static void a_lock_without_a_link_is_kept_and_the_asker_told_at_once(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->link = false;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_NO_LINK);
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_QUEUED);
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer); /* joins */
    assert_int_equal(answer, ERR_NO_LINK);
    rig->link = true;
    commands_link_up(rig->actions);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
}

static void a_lock_for_a_device_that_is_away_goes_out_when_it_is_back(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    set_presence(rig, "device", PRESENCE_AWAY);
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_AWAY);
    commands_link_up(rig->actions);
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 0);
    rig_mqtt(rig, "add_device device todevice app app 1");
    assert_int_equal(rig->sent_count, 2);
    assert_string_equal(rig->sent[0].payload, "hand_shake app device 0");
    assert_string_equal(rig->sent[1].payload, "lock");
}

static void a_kept_lock_is_cancelled_by_a_newer_unlock(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->link = false;
    rig_ask(rig, "lock device", ROLE_MEMBER, &answer);
    char id[SECRET_ID_SIZE];
    memcpy(id, rig_command(rig, "device")->id, sizeof id);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer); /* refused: no command */
    assert_int_equal(registry_command(rig_registry(rig), id)->state, COMMAND_QUEUED);
    rig->link = true; /* subscribed, but commands_link_up() is yet to come */
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(registry_command(rig_registry(rig), id)->state, COMMAND_CANCELLED);
    commands_link_up(rig->actions);
    rig_settle(rig);
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 0);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

static void a_delivered_lock_without_answer_goes_out_again_when_the_board_is_back(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    hand_over(rig);
    rig_mqtt(rig, "add_device device todevice app app 1");
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
    hand_over(rig);
    rig_mqtt(rig, "lock_response 0 device app");
    rig_mqtt(rig, "add_device device todevice app app 1");
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
}

static void a_lock_is_not_sent_again_after_a_newer_unlock(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    hand_over(rig);
    rig_mqtt(rig, "unlock device");
    hand_over(rig);
    rig_mqtt(rig, "unlock_response 0 device app");
    rig_mqtt(rig, "add_device device todevice app app 1");
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 1);
    assert_int_equal(registry_command(rig_registry(rig), rig->sent[0].tag)->state,
                     COMMAND_DELIVERED);
}

static void an_unlock_is_never_sent_again(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    hand_over(rig);
    rig_mqtt(rig, "add_device device todevice app app 1");
    commands_link_down(rig->actions);
    commands_link_up(rig->actions);
    commands_awake(rig->actions);
    rig_settle(rig);
    rig_restart(rig);
    commands_link_up(rig->actions);
    rig_advance(rig, 100);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
}

static void the_phones_two_calls_for_one_press_are_one_command(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device app 2020-07-31 11:03:20.123456");
    rig_ask(rig, "unlock device app", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 1);
    assert_int_equal(answer, RIG_WAITING);
    hand_over(rig);
    assert_int_equal(answer, ERR_OK);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS), 1);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_JOINED), 1);
    assert_int_equal(rig_rows(rig, NULL), 2);
    assert_string_equal(rig_last_row(rig)->who, "anna");
    assert_string_equal(rig_last_row(rig)->reason, "joined");
    assert_string_equal(rig_last_row(rig)->command_id, rig_command(rig, "device")->id);
}

static void the_second_call_joins_also_after_the_board_answered(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device");
    hand_over(rig);
    rig_app_topic(rig, "unlock_response 0 device app");
    rig_advance(rig, 2999);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_OK);
    assert_int_equal(rig->sent_count, 1);
    rig_advance(rig, 1);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, RIG_WAITING);
    assert_int_equal(rig->sent_count, 2);
}

static void a_second_call_after_a_failure_hears_of_it(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_mqtt(rig, "unlock device");
    commands_link_down(rig->actions);
    rig_settle(rig);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_EXPIRED);
    assert_int_equal(rig->sent_count, 1);
}

static void a_done_lock_is_not_joined(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "lock device");
    hand_over(rig);
    rig_mqtt(rig, "lock_response 0 device app");
    rig_mqtt(rig, "lock device");
    assert_int_equal(rig_count_sent(rig, "todevice", "lock"), 2);
}

static void nothing_joins_across_the_opposite_command(void **state)
{
    struct rig *rig = *state;
    static const char *const presses[] = {"unlock device", "lock device", "unlock device",
                                          "lock device"};
    for (size_t i = 0; i < 4; i++) {
        rig_mqtt(rig, presses[i]);
        hand_over(rig);
    }
    assert_int_equal(rig->sent_count, 4);
    assert_int_equal(rig_counter(rig, COUNTER_COMMANDS_JOINED), 0);
}

static void the_wall_clock_does_not_decide_about_joining(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "unlock device");
    hand_over(rig);
    rig_mqtt(rig, "unlock_response 0 device app");
    rig->wall -= 7200000;
    rig->boot += 4000;
    rig_mqtt(rig, "unlock device");
    assert_int_equal(rig->sent_count, 2);
}

static void askers_of_one_command_are_bounded(void **state)
{
    struct rig *rig = *state;
    enum err answers[258];
    for (size_t i = 0; i < 258; i++)
        rig_ask(rig, "unlock device", ROLE_MEMBER, &answers[i]);
    assert_int_equal(answers[255], RIG_WAITING);
    assert_int_equal(answers[256], ERR_LIMIT);
    hand_over(rig);
    assert_int_equal(answers[0], ERR_OK);
    assert_int_equal(answers[255], ERR_OK);
}

static void open_commands_of_one_device_are_bounded(void **state)
{
    struct rig *rig = *state;
    enum err answer = ERR_OK;
    for (int i = 0; i < 33; i++) {
        rig_ask(rig, i % 2 ? "unlock device" : "lock device", ROLE_MEMBER, &answer);
        if (answer == RIG_WAITING)
            hand_over(rig);
    }
    assert_int_equal(answer, ERR_LIMIT);
    assert_int_equal(rig->sent_count, 32);
}

static void many_ended_commands_do_not_pile_up_in_memory(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++) {
        rig->sent_count = 0;
        rig_mqtt(rig, i % 2 ? "unlock device" : "lock device");
        rig_mqtt(rig, i % 2 ? "unlock_response 0 device app" : "lock_response 0 device app");
    }
    assert_true(registry_count(rig_registry(rig), REC_COMMAND) <= 66);
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

static void of_several_the_reachable_ones_get_it_and_the_answer_is_no(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_board(rig, "device2", "todevice2");
    set_presence(rig, "device2", PRESENCE_AWAY);
    rig_ask(rig, "unlock *", ROLE_MEMBER, &answer);
    assert_int_equal(rig->sent_count, 1);
    assert_int_equal(answer, RIG_WAITING);
    hand_over(rig);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_board, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_the_bare_word_at_qos_2_with_its_expiry),
        TEST(sent_is_committed_before_the_publish),
        TEST(an_unlock_whose_commit_fails_does_not_happen),
        TEST(an_asker_is_answered_when_the_broker_has_it_and_that_is_on_disk),
        TEST(without_the_acknowledgement_within_a_second_the_link_is_ended),
        TEST(a_taken_one_without_completion_ends_as_unknown_and_with_its_link),
        TEST(a_lock_that_the_broker_did_not_take_goes_out_with_the_next_link),
        TEST(a_broker_that_says_no_ends_it_as_refused),
        TEST(a_publish_that_fails_leaves_nothing_behind),
        TEST(without_a_link_an_unlock_is_refused_at_once),
        TEST(an_unlock_for_a_device_that_is_away_is_refused_at_once),
        TEST(after_a_standstill_unlocks_are_refused_until_it_is_over),
        TEST(an_unlock_that_lay_unread_is_refused_and_a_lock_is_not),
        TEST(an_unlock_that_waited_for_its_commit_through_a_standstill_is_not_sent),
        TEST(an_unlock_whose_commit_took_too_long_is_not_sent),
        TEST(an_unlock_whose_link_went_while_it_was_committed_is_not_sent),
        TEST(a_kept_lock_is_sent_once_however_links_and_commits_interleave),
        TEST(a_lock_without_a_link_is_kept_and_the_asker_told_at_once),
        TEST(a_lock_for_a_device_that_is_away_goes_out_when_it_is_back),
        TEST(a_kept_lock_is_cancelled_by_a_newer_unlock),
        TEST(a_delivered_lock_without_answer_goes_out_again_when_the_board_is_back),
        TEST(a_lock_is_not_sent_again_after_a_newer_unlock),
        TEST(an_unlock_is_never_sent_again),
        TEST(the_phones_two_calls_for_one_press_are_one_command),
        TEST(the_second_call_joins_also_after_the_board_answered),
        TEST(a_second_call_after_a_failure_hears_of_it),
        TEST(a_done_lock_is_not_joined),
        TEST(nothing_joins_across_the_opposite_command),
        TEST(the_wall_clock_does_not_decide_about_joining),
        TEST(askers_of_one_command_are_bounded),
        TEST(open_commands_of_one_device_are_bounded),
        TEST(many_ended_commands_do_not_pile_up_in_memory),
        TEST(an_unknown_device_gets_nothing_and_is_counted),
        TEST(no_id_and_a_star_mean_every_device),
        TEST(of_several_the_reachable_ones_get_it_and_the_answer_is_no),
        cmocka_unit_test_setup_teardown(all_of_none_is_no_device, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
