/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/transfer.h"

#define NOW INT64_C(1767323045678)

static enum err import_text(const char *text, struct batch **batch, struct import_report *report,
                            struct cause *cause)
{
    struct json *document = NULL;
    struct cause why = {.text = ""};
    if (json_parse(text, strlen(text), &json_limits_file, &document, &why) != ERR_OK)
        fail_msg("%s: %s", why.text, text);
    enum err result = transfer_import(document, NOW, batch, report, cause);
    json_free(document);
    return result;
}

static bool is_listed(const struct import_report *report, const char *start)
{
    for (size_t i = 0; i < report->skipped_count && i < 64; i++)
        if (strncmp(report->skipped[i], start, strlen(start)) == 0)
            return true;
    return false;
}

/* As save_to_config writes it. */
static const char python_config[] =
    "{\"client_id\": \"server\", \"action_load\": [\"lock\", \"unlock\"], "
    "\"action_func_name\": {\"lock\": \"lock\"}, \"host\": \"192.168.1.9\", \"port\": 1883, "
    "\"keepalive\": 60, \"topic\": {\"2server\": \"toserver\", \"2device\": [\"todevice\", "
    "\"back\", \"todevice\"], \"2app_deivce\": [\"toapp\"]}, "
    "\"device_pair_app2device\": {\"toapp\": \"todevice\", \"tablet\": [\"todevice\", "
    "\"garage\"]}, "
    "\"device_pair_device2app\": {\"todevice\": [\"toapp\"]}, \"use_quick_search\": true, "
    "\"qos\": 2, \"on_running\": false, \"on_connect\": null, \"device_type\": \"server\", "
    "\"topic_subscribe\": [\"toserver\"], \"colour\\n\": 1}";

static const struct device *put_device(const struct batch *batch, const char *id)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->changes[i].kind == REC_DEVICE &&
            strcmp(((const struct device *)batch->changes[i].record)->id, id) == 0)
            return batch->changes[i].record;
    return NULL;
}

static bool has_pair(const struct batch *batch, const char *device_id, const char *app_id)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct pair *pair = batch->changes[i].record;
        if (batch->changes[i].kind == REC_PAIR && strcmp(pair->device_id, device_id) == 0 &&
            strcmp(pair->app_id, app_id) == 0 && strcmp(pair->app_topic, app_id) == 0)
            return true;
    }
    return false;
}

static void the_python_servers_state_becomes_devices_apps_and_pairs(void **state)
{
    (void)state;
    struct batch *batch = NULL;
    static struct import_report report;
    struct cause cause = {.text = ""};
    assert_int_equal(import_text(python_config, &batch, &report, &cause), ERR_OK);
    assert_int_equal(report.records[REC_DEVICE], 3);
    assert_int_equal(report.records[REC_APP], 2);
    assert_int_equal(report.records[REC_PAIR], 3);
    assert_int_equal(batch->count, 8);
    const struct device *device = put_device(batch, "todevice");
    assert_non_null(device);
    assert_string_equal(device->topic, "todevice");
    assert_false(device->spoke);
    assert_int_equal(device->created_at, NOW);
    assert_int_equal(device->seen_at, 0);
    assert_non_null(put_device(batch, "back"));
    assert_non_null(put_device(batch, "garage"));
    assert_true(has_pair(batch, "todevice", "toapp"));
    assert_true(has_pair(batch, "todevice", "tablet"));
    assert_true(has_pair(batch, "garage", "tablet"));
    batch_free(batch);
}

static void what_has_no_meaning_here_is_listed_with_its_place(void **state)
{
    (void)state;
    static const char *const lines[] = {"host: set mqtt.broker",
                                        "port: ",
                                        "client_id: ",
                                        "action_load: ",
                                        "action_func_name: ",
                                        "keepalive: ",
                                        "qos: ",
                                        "use_quick_search: ",
                                        "on_running: ",
                                        "on_connect: ",
                                        "device_type: ",
                                        "topic_subscribe: ",
                                        "topic.2server: set mqtt.server_topic",
                                        "colour\\x0A: it is not known"};
    struct batch *batch = NULL;
    static struct import_report report;
    assert_int_equal(import_text(python_config, &batch, &report, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!is_listed(&report, lines[i]))
            fail_msg("%s", lines[i]);
    assert_int_equal(report.skipped_count, sizeof lines / sizeof *lines);
    batch_free(batch);
}

static void odd_shapes_of_the_python_server_are_taken_with_patience(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{\"topic\":{\"2device\":\"d\"},\"device_pair_app2device\":null}",
        "{\"topic\":{\"2device\":[\"d\"],\"2app_deivce\":null},\"device_pair_device2app\":{}}",
        "{\"device_pair_device2app\":{\"d\":[]},\"topic\":{\"2server\":\"s\",\"2device\":[\"d\"]}}",
        "{\"topic\":{\"2device\":[\"d\"]},\"device_pair_app2device\":[]}",
        "{\"topic\":{\"2device\":[\"d\"]},\"device_pair_app2device\":\"\"}",
        "{\"topic\":{\"2server\":\"s\",\"2device\":[\"d\",\"s\"],\"2app_deivce\":[\"d\"]}}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct batch *batch = NULL;
        static struct import_report report;
        struct cause cause = {.text = ""};
        if (import_text(documents[i], &batch, &report, &cause) != ERR_OK)
            fail_msg("%s: %s", documents[i], cause.text);
        assert_int_equal(batch->count, 1);
        assert_non_null(put_device(batch, "d"));
        batch_free(batch);
    }
}

static void a_topic_of_two_is_given_to_the_first_and_listed(void **state)
{
    (void)state;
    struct batch *batch = NULL;
    static struct import_report report;
    assert_int_equal(import_text("{\"topic\":{\"2server\":\"s\",\"2device\":[\"d\",\"s\"],"
                                 "\"2app_deivce\":[\"d\",\"a\"]},"
                                 "\"device_pair_app2device\":{\"a\":[\"d\",\"a\"],\"d\":\"d\"}}",
                                 &batch, &report, NULL),
                     ERR_OK);
    assert_int_equal(report.records[REC_DEVICE], 1);
    assert_int_equal(report.records[REC_APP], 1);
    assert_int_equal(report.records[REC_PAIR], 1);
    assert_true(is_listed(&report, "topic.2device: s is the topic of the server already"));
    assert_true(is_listed(&report, "topic.2app_deivce: d is the topic of a device already"));
    assert_true(is_listed(&report, "device_pair_app2device: a is the topic of an app already"));
    batch_free(batch);
}

static void names_of_the_python_server_are_taken_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *document, *place;
    } cases[] = {
        {"{\"topic\":{\"2device\":[\"a b\"]}}", "topic.2device"},
        {"{\"topic\":{\"2device\":[\"ok\",5]}}", "topic.2device"},
        {"{\"topic\":{\"2app_deivce\":[\"#\"]}}", "topic.2app_deivce"},
        {"{\"topic\":{\"2app_deivce\":[\"\"]}}", "topic.2app_deivce"},
        {"{\"device_pair_app2device\":{\"$app\":\"d\"}}", "device_pair_app2device"},
        {"{\"device_pair_device2app\":{\"d\":[\"a\",\"b/+\"]}}", "device_pair_device2app"},
        {"{\"device_pair_device2app\":{\"d\":{\"a\":1}}}", "device_pair_device2app"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch *batch = NULL;
        static struct import_report report;
        struct cause cause = {.text = ""};
        if (import_text(cases[i].document, &batch, &report, &cause) != ERR_BAD_INPUT ||
            strstr(cause.text, cases[i].place) == NULL || batch != NULL)
            fail_msg("%s: %s", cases[i].document, cause.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_python_servers_state_becomes_devices_apps_and_pairs),
        cmocka_unit_test(what_has_no_meaning_here_is_listed_with_its_place),
        cmocka_unit_test(odd_shapes_of_the_python_server_are_taken_with_patience),
        cmocka_unit_test(a_topic_of_two_is_given_to_the_first_and_listed),
        cmocka_unit_test(names_of_the_python_server_are_taken_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
