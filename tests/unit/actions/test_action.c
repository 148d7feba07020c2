/* SPDX-License-Identifier: MIT
 *
 * The table: look-up, who may, arguments, counters, rows at run time, the default action, the
 * answer rule. `examples/action_hello.c` is compiled in here, so that CONTRIBUTING.md stays true.
 */
#include "tests/unit/actions/rig.h"

#include <stdlib.h>
#include <string.h>

#include "examples/action_hello.c"
#include "server/base/log.h"

static void the_table_holds_the_nine_words_of_the_contract(void **state)
{
    struct rig *rig = *state;
    static const char *const words[] = {
        "lock",    "unlock",        "lock_response", "unlock_response", "hand_shake", "add_device",
        "add_app", "find_stranger", "data"};
    size_t count = 0;
    while (action_at(rig->actions, count))
        count++;
    assert_int_equal(count, sizeof words / sizeof words[0]);
    for (size_t i = 0; i < count; i++) {
        const struct action *action = action_find(rig->actions, words[i]);
        assert_non_null(action);
        assert_string_equal(action->word, words[i]);
        assert_true(action->help[0] != '\0' && action->grammar[0] != '\0');
    }
    assert_int_equal(action_find(rig->actions, "unlock")->command_class, CLASS_UNSAFE);
    assert_int_equal(action_find(rig->actions, "lock")->command_class, CLASS_SAFE);
}

static void lookup_is_exact(void **state)
{
    struct rig *rig = *state;
    static const char *const words[] = {"loc",   "LOCK",   "lock_",
                                        "locks", "Unlock", "unlock\xc2\xa0"};
    rig_board(rig, "device", "todevice");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_null(action_find(rig->actions, words[i]));
        rig_mqtt(rig, words[i]);
        assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_WORD), i + 1);
    }
    assert_int_equal(rig->sent_count, 0);
}

static void an_unknown_word_is_counted_and_answered_with_nothing(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "make_coffee now");
    assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_WORD), 1);
    assert_int_equal(rig_counter(rig, COUNTER_MESSAGES), 1);
    assert_int_equal(rig->sent_count, 0);
    enum err answer;
    rig_ask(rig, "make_coffee", ROLE_ADMIN, &answer);
    assert_int_equal(answer, ERR_NOT_FOUND);
}

static void bad_payloads_are_counted_and_end_nothing(void **state)
{
    struct rig *rig = *state;
    struct caller caller = {.name = "anonymous", .anonymous = true, .way = "mqtt"};
    char *huge = malloc(100000);
    memset(huge, 'x', 100000);
    action_payload(rig->actions, &caller, NULL, 0);
    action_payload(rig->actions, &caller, "", 0);
    action_payload(rig->actions, &caller, "lock\0device", 11);
    action_payload(rig->actions, &caller, "lock \xff\xfe", 7);
    action_payload(rig->actions, &caller, "lock\ndevice", 11);
    action_payload(rig->actions, &caller, huge, 100000);
    free(huge);
    assert_int_equal(rig_counter(rig, COUNTER_BAD_PAYLOAD), 6);
    assert_int_equal(rig_counter(rig, COUNTER_MESSAGES), 6);
    assert_int_equal(rig->sent_count, 0);
}

static struct {
    char line[4096];
} logged;

static void catch_log(void *arg, enum log_level level, const char *line)
{
    (void)arg;
    (void)level;
    text_copy(logged.line, sizeof logged.line, line, strlen(line));
}

static void what_a_stranger_writes_is_escaped_and_cut_in_the_log(void **state)
{
    struct rig *rig = *state;
    char payload[1001];
    memset(payload, 'y', 1000);
    payload[1000] = '\0';
    log_set_sink(catch_log, NULL);
    rig_mqtt(rig, payload);
    assert_non_null(strstr(logged.line, "yyyy"));
    assert_true(strlen(logged.line) < 400);
    rig_mqtt(rig, "\xe2\x80\xae"
                  "evil");
    log_set_sink(NULL, NULL);
    assert_null(strstr(logged.line, "\xe2\x80\xae"));
    assert_non_null(strstr(logged.line, "evil"));
}

static void wrong_argument_counts_are_refused_and_counted(void **state)
{
    struct rig *rig = *state;
    static const char *const payloads[] = {"lock a b c d e",        "add_device a b c",
                                           "add_app a b c d e f g", "lock_response 0 device",
                                           "find_stranger 1 toapp", "data key"};
    size_t count = sizeof payloads / sizeof payloads[0];
    for (size_t i = 0; i < count; i++)
        rig_mqtt(rig, payloads[i]);
    assert_int_equal(rig_counter(rig, COUNTER_BAD_ARGUMENTS), count);
    enum err answer;
    rig_ask(rig, "data key", ROLE_ADMIN, &answer);
    assert_int_equal(answer, ERR_BAD_INPUT);
    assert_int_equal(action_uses(rig->actions, "data"), 0);
}

static void uses_are_counted_by_row(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "data a 1");
    rig_mqtt(rig, "data a 2");
    rig_mqtt(rig, "lock");
    assert_int_equal(action_uses(rig->actions, "data"), 2);
    assert_int_equal(action_uses(rig->actions, "lock"), 1);
    assert_int_equal(action_uses(rig->actions, "nothing"), 0);
    assert_int_equal(rig_counter(rig, COUNTER_MESSAGES), 3);
}

static void anonymous_senders_may_what_the_configuration_says(void **state)
{
    struct rig *rig = *state;
    rig->options.anonymous = ANONYMOUS_HAND_SHAKE;
    rig_restart(rig);
    rig_mqtt(rig, RIG_HAND_SHAKE);
    assert_non_null(registry_device(rig_registry(rig), "device"));
    rig->sent_count = 0;
    rig_mqtt(rig, "unlock device");
    rig_mqtt(rig, "data a 1");
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig_counter(rig, COUNTER_NOT_ALLOWED), 2);
    assert_int_equal(rig_rows(rig, "FORBIDDEN"), 1); /* the unlock has its row */
    assert_false(rig_last_row(rig)->allowed);

    for (size_t i = 0; action_at(rig->actions, i); i++) {
        const struct action *row = action_at(rig->actions, i);
        bool shakes = strcmp(row->word, "hand_shake") == 0 || strncmp(row->word, "add_", 4) == 0;
        assert_int_equal(row->need == NEED_HAND_SHAKE, shakes);
    }

    rig->options.anonymous = ANONYMOUS_NOTHING;
    rig_restart(rig);
    rig_mqtt(rig, "add_device device2 todevice2 app app 1");
    assert_null(registry_device(rig_registry(rig), "device2"));
    assert_int_equal(rig->sent_count, 0);
}

static void roles_decide_by_http(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig_board(rig, "device", "todevice");
    rig_ask(rig, "unlock device", ROLE_VIEWER, &answer);
    assert_int_equal(answer, ERR_FORBIDDEN);
    assert_int_equal(rig->sent_count, 0);
    assert_string_equal(rig_last_row(rig)->who, "anna");
    rig_ask(rig, "add_device d td a ta", ROLE_MEMBER, &answer);
    assert_int_equal(answer, ERR_FORBIDDEN);
    rig_ask(rig, "add_device d td a ta", ROLE_ADMIN, &answer);
    assert_int_equal(answer, ERR_OK);
    rig_ask(rig, "unlock device", ROLE_MEMBER, &answer);
    assert_int_equal(rig_count_sent(rig, "todevice", "unlock"), 1);
    commands_handed_over(rig->actions, rig_last(rig)->tag);
    rig_settle(rig);
    assert_int_equal(answer, ERR_OK);
}

static void a_row_is_added_at_run_time_once_and_only_with_a_good_word(void **state)
{
    struct rig *rig = *state;
    static const char *const bad[] = {
        "", "Greet", "9lives", "a-b", "a b", "_a", "abcdefghijklmnopqrstuvwxyz0123456"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct action row = action_hello;
        row.word = bad[i];
        assert_int_equal(action_register(rig->actions, &row), ERR_BAD_INPUT);
    }
    struct action empty = action_hello;
    empty.exec = NULL;
    assert_int_equal(action_register(rig->actions, &empty), ERR_BAD_INPUT);
    struct action twin = action_hello;
    twin.word = "lock";
    assert_int_equal(action_register(rig->actions, &twin), ERR_CONFLICT);
    assert_int_equal(action_register(rig->actions, &action_hello), ERR_OK);
    assert_int_equal(action_register(rig->actions, &action_hello), ERR_CONFLICT);
    assert_ptr_equal(action_find(rig->actions, "hello"), &action_hello);
    assert_ptr_equal(action_at(rig->actions, 9), &action_hello);
    assert_null(action_at(rig->actions, 10));
}

static void an_answer_goes_only_to_apps_paired_with_the_device(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(action_register(rig->actions, &action_hello), ERR_OK);
    rig_board(rig, "device", "todevice");
    rig_mqtt(rig, "add_app device todevice app toapp 1 2");
    rig_mqtt(rig, "add_app other toother phone tophone 1 2");
    rig->sent_count = 0;

    rig_mqtt(rig, "hello device app"); /* what the board was told */
    assert_string_equal(rig_last(rig)->topic, "app");
    rig_mqtt(rig, "hello device toapp"); /* the app's own */
    assert_string_equal(rig_last(rig)->topic, "toapp");
    assert_string_equal(rig_last(rig)->payload, "hello from device");
    assert_int_equal(rig_last(rig)->qos, 0);
    assert_int_equal(rig->sent_count, 2);

    static const char *const withheld[] = {"hello device todevice", "hello device tophone",
                                           "hello nobody toapp",    "hello device toserver",
                                           "hello device a/+/b",    "hello device lock"};
    size_t count = sizeof withheld / sizeof withheld[0];
    for (size_t i = 0; i < count; i++)
        rig_mqtt(rig, withheld[i]);
    assert_int_equal(rig->sent_count, 2);
    assert_int_equal(rig_counter(rig, COUNTER_REPLY_WITHHELD), count);
}

static enum err say_exec(struct action_context *context)
{
    context->concerned = "device";
    context->reply = strdup(context->action->arg);
    return ERR_OK;
}

/* Whom the broker vouches for has a topic of its own, paired or not. */
static void an_answer_may_go_to_the_askers_own_topic(void **state)
{
    struct rig *rig = *state;
    struct caller phone = {.name = "phone", .way = "mqtt", .role = ROLE_MEMBER};
    assert_int_equal(action_register(rig->actions, &action_hello), ERR_OK);
    rig_board(rig, "device", "todevice");
    rig_mqtt(rig, "add_app other toother phone tophone 1 2");
    rig->sent_count = 0;
    static const char own[] = "hello device tophone";
    action_payload(rig->actions, &phone, own, strlen(own));
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 1);
    assert_string_equal(rig_last(rig)->topic, "tophone");
    /* A token of that name, by HTTP, is no app. */
    text_copy(phone.way, sizeof phone.way, "http", 4);
    action_payload(rig->actions, &phone, own, strlen(own));
    rig_settle(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void an_answer_never_begins_with_a_command_word(void **state)
{
    struct rig *rig = *state;
    static const char *const texts[] = {
        "toapp unlock", "toapp lock device", "toapp  unlock x", "lock me", "toapp", "",
        " toapp x",     "toapp\tunlock"};
    size_t count = sizeof texts / sizeof texts[0];
    struct action rows[8];
    char words[8][8];
    rig_board(rig, "device", "todevice");
    rig_mqtt(rig, "add_app device todevice app toapp 1 2");
    rig_mqtt(rig, "add_app device todevice lock lock 1 2");
    rig->sent_count = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(words[i], sizeof words[i], "say%zu", i);
        rows[i] = (struct action){.word = words[i], .exec = say_exec, .arg = (void *)texts[i]};
        assert_int_equal(action_register(rig->actions, &rows[i]), ERR_OK);
        rig_mqtt(rig, words[i]);
    }
    assert_int_equal(rig->sent_count, 0);
    assert_int_equal(rig_counter(rig, COUNTER_REPLY_WITHHELD), count);
}

static void an_answer_waits_for_the_commit(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(action_register(rig->actions, &action_hello), ERR_OK);
    rig_board(rig, "device", "todevice");
    rig->by_hand = true;
    rig_mqtt(rig, "data key value");
    rig_mqtt(rig, "hello device app");
    assert_int_equal(rig->sent_count, 0);
    rig_answer(rig);
    assert_int_equal(rig->sent_count, 1);
}

static void on_an_apps_topic_only_answers_of_boards_count(void **state)
{
    struct rig *rig = *state;
    rig_board(rig, "device", "todevice");
    rig_app_topic(rig, "unlock device");
    rig_app_topic(rig, "data key value");
    rig_app_topic(rig, "find_stranger 20200913122640 http://gate.test/pic");
    rig_app_topic(rig, "{\"action_name\":\"hand_shake\",\"state\":0}");
    rig_app_topic(rig, "what ever");
    assert_int_equal(rig->sent_count, 0);
    assert_null(registry_data(rig_registry(rig), "key"));
    assert_int_equal(rig_counter(rig, COUNTER_UNKNOWN_WORD), 0);
    rig_mqtt(rig, "unlock device");
    rig_app_topic(rig, "unlock_response 0 device app");
    assert_int_equal(rig_command(rig, "device")->state, COMMAND_DONE);
}

static void data_keeps_the_rest_of_the_payload_and_the_order(void **state)
{
    struct rig *rig = *state;
    rig_mqtt(rig, "data door front  door, left");
    rig_mqtt(rig, "data heat 21");
    rig_mqtt(rig, "data door back");
    const struct data_item *door = registry_data(rig_registry(rig), "door");
    assert_string_equal(door->value, "back");
    assert_int_equal(door->seq, 1);
    assert_int_equal(registry_data(rig_registry(rig), "heat")->seq, 2);
    rig_mqtt(rig, "data door front  door, left");
    assert_string_equal(registry_data(rig_registry(rig), "door")->value, "front  door, left");
    assert_int_equal(registry_data(rig_registry(rig), "door")->seq, 1);
}

static void data_is_bounded(void **state)
{
    struct rig *rig = *state;
    char payload[1200] = "data key ";
    memset(payload + 9, 'v', 1025);
    rig_mqtt(rig, payload);
    assert_null(registry_data(rig_registry(rig), "key"));
    assert_int_equal(rig_counter(rig, COUNTER_BAD_ARGUMENTS), 1);
    payload[9 + 1024] = '\0';
    rig_mqtt(rig, payload);
    assert_int_equal(strlen(registry_data(rig_registry(rig), "key")->value), 1024);
    rig->by_hand = true; /* one batch */
    for (int i = 1; i < 4096; i++) {
        snprintf(payload, sizeof payload, "data k%d v", i);
        rig_mqtt(rig, payload);
    }
    assert_int_equal(registry_count(rig_registry(rig), REC_DATA), 4096);
    rig_mqtt(rig, "data one_more v");
    assert_int_equal(registry_count(rig_registry(rig), REC_DATA), 4096);
    rig_mqtt(rig, "data k1 changed");
    assert_string_equal(registry_data(rig_registry(rig), "k1")->value, "changed");
}

static void an_asker_hears_only_what_is_on_disk(void **state)
{
    struct rig *rig = *state;
    enum err answer;
    rig->by_hand = true;
    rig_ask(rig, "data key value", ROLE_ADMIN, &answer);
    assert_int_equal(answer, RIG_WAITING);
    rig->fail = ERR_DISK_FULL;
    rig_answer(rig);
    assert_int_equal(answer, ERR_DISK_FULL);
    rig_answer(rig); /* the reload */
    assert_null(registry_data(rig_registry(rig), "key"));
    rig_ask(rig, "data key value", ROLE_ADMIN, &answer);
    assert_int_equal(answer, ERR_DISK_FULL);
}

static void who_still_waits_at_the_end_is_told(void **state)
{
    struct rig *rig = *state;
    enum err kept, handover;
    rig_board(rig, "device", "todevice");
    rig_ask(rig, "unlock device", ROLE_ADMIN, &handover);
    rig->by_hand = true;
    rig_ask(rig, "data key value", ROLE_ADMIN, &kept);
    rig_restart(rig);
    assert_int_equal(kept, ERR_STOPPING);
    assert_int_equal(handover, ERR_STOPPING);
}

static void every_counter_has_a_name_and_a_help(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTERS; i++) {
        assert_true(action_counter_name((enum counter)i)[0] != '\0');
        assert_true(action_counter_help((enum counter)i)[0] != '\0');
    }
    assert_string_equal(action_class_name(CLASS_UNSAFE), "unsafe");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_table_holds_the_nine_words_of_the_contract),
        TEST(lookup_is_exact),
        TEST(an_unknown_word_is_counted_and_answered_with_nothing),
        TEST(bad_payloads_are_counted_and_end_nothing),
        TEST(what_a_stranger_writes_is_escaped_and_cut_in_the_log),
        TEST(wrong_argument_counts_are_refused_and_counted),
        TEST(uses_are_counted_by_row),
        TEST(anonymous_senders_may_what_the_configuration_says),
        TEST(roles_decide_by_http),
        TEST(a_row_is_added_at_run_time_once_and_only_with_a_good_word),
        TEST(an_answer_goes_only_to_apps_paired_with_the_device),
        TEST(an_answer_may_go_to_the_askers_own_topic),
        TEST(an_answer_never_begins_with_a_command_word),
        TEST(an_answer_waits_for_the_commit),
        TEST(on_an_apps_topic_only_answers_of_boards_count),
        TEST(data_keeps_the_rest_of_the_payload_and_the_order),
        TEST(data_is_bounded),
        TEST(an_asker_hears_only_what_is_on_disk),
        TEST(who_still_waits_at_the_end_is_told),
        TEST(every_counter_has_a_name_and_a_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
