/* SPDX-License-Identifier: MIT
 *
 * The configuration: sources and their order, values, what is said about mistakes, the example.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "actions/action.h"
#include "tests/unit/server/config_made.h"

static void without_any_source_every_key_has_its_default(void **state)
{
    struct made *made = *state;
    assert_true(made_load_json(made, NULL));
    const struct config *config = &made->config;
    assert_string_equal(config->data_dir, "data");
    assert_string_equal(config->http_listen, "127.0.0.1");
    assert_int_equal(config->http_port, 5000);
    assert_int_equal(config->http_auth, AUTH_TOKEN);
    assert_int_equal(config->http_trusted.count, 0);
    assert_int_equal(config->http_max_upload_mb, 16);
    assert_false(config->http_insecure);
    assert_string_equal(config->mqtt_broker, "embedded");
    assert_int_equal(config->mqtt_port, 1883);
    assert_string_equal(config->mqtt_server_topic, "toserver");
    assert_int_equal(config->telemetry_topics.count, 1);
    assert_string_equal(config->telemetry_topics.item[0], "sensors/#");
    assert_int_equal(config->alerts_picture_wait_ms, 5000);
    assert_int_equal(config->alerts_raw_frames.count, 3);
    assert_string_equal(config->alerts_raw_frames.item[2], "1920x1080");
    assert_int_equal(config->retention_pictures_mb, 1024);
    assert_int_equal(config->retention_pictures_days, 90);
    assert_int_equal(config->retention_telemetry_days, 365);
    assert_int_equal(config->retention_audit_days, 730);
    assert_int_equal(json_type(config->custom), JSON_OBJECT);
    assert_int_equal(json_count(config->custom), 0);
    assert_int_equal(config->pairing, 1 + PAIRING_OPEN);
    assert_int_equal(config->mqtt_anonymous, 1 + ANONYMOUS_ALL);
    assert_true(config->broker_embedded);
}

static void command_line_wins_over_environment_over_file(void **state)
{
    struct made *made = *state;
    const char *const environment[] = {"PATH=/bin", "GATEHOUSE_HTTP_PORT=5002",
                                       "GATEHOUSE_MQTT_PORT=1002", NULL};
    const char *const sets[] = {"http.port=5003", NULL};
    const char *json = "{\"http\":{\"port\":5001,\"max_upload_mb\":3},\"mqtt\":{\"port\":1001}}";
    assert_true(made_load(made, json, environment, sets));
    assert_int_equal(made->config.http_port, 5003);
    assert_int_equal(made->config.mqtt_port, 1002);
    assert_int_equal(made->config.http_max_upload_mb, 3);
}

static void all_mistakes_are_told_at_once_with_key_and_expectation(void **state)
{
    struct made *made = *state;
    const char *const environment[] = {"GATEHOUSE_HTTP_PROT=1", NULL};
    const char *const sets[] = {"http.max_upload_mb=0", "nothing", "http.prot=1", NULL};
    const char *json =
        "{\"http\":{\"port\":65536,\"auth\":\"nobody\",\"insecure\":1},\"colour\":\"blue\","
        "\"mqtt\":5,\"site\":{\"timezone\":\"../etc/passwd\"},\"http.port\":1}";
    assert_false(made_load(made, json, environment, sets));
    made_assert_said(made, "http.port must be a whole number from 0 to 65535, not 65536");
    made_assert_said(made, "http.auth must be one of \"token\", \"none\", not \"nobody\"");
    made_assert_said(made, "http.insecure must be true or false, not 1");
    made_assert_said(made, "colour is no key");
    made_assert_said(made, "mqtt must be an object");
    made_assert_said(made, "site.timezone must be empty or the name of a time zone");
    made_assert_said(made, "http.port is no key");
    made_assert_said(made, "GATEHOUSE_HTTP_PROT is no key");
    made_assert_said(made, "--set: http.max_upload_mb must be a whole number from 1 to 1024");
    made_assert_said(made, "--set nothing: must be KEY=VALUE");
    made_assert_said(made, "--set: http.prot is no key");
    assert_int_equal(made->faults.count, 11);
}

static void file_is_read_strictly(void **state)
{
    struct made *made = *state;
    static const char *const broken[] = {"",
                                         "[]",
                                         "{\"pairing\":\"open\",\"pairing\":\"closed\"}",
                                         "{} {}",
                                         "{\"http\":{\"port\":5000,}}",
                                         "{\"pairing\":\"open\",\"Pairing\":\"open\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_false(made_load_json(made, broken[i]));
        assert_int_equal(made->faults.count, 1);
        made_assert_said(made, "config.json: ");
    }
}

static void named_file_must_exist_and_be_a_file(void **state)
{
    struct made *made = *state;
    struct config_source source = {.file = made->file, .file_must_exist = true};
    assert_false(config_load(&source, &made->config, &made->faults));
    made_assert_said(made, "No such file");
    config_free(&made->config);
    made->faults.count = 0;
    source.file = made->folder;
    assert_false(config_load(&source, &made->config, &made->faults));
    made_assert_said(made, "can't be read");
}

static void secret_comes_from_its_file_without_the_line_end(void **state)
{
    struct made *made = *state;
    char variable[160];
    snprintf(variable, sizeof variable, "GATEHOUSE_MQTT_PASSWORD_FILE=%s", made->secret);
    const char *const environment[] = {variable, "GATEHOUSE_MQTT_USERNAME=me",
                                       "GATEHOUSE_MQTT_BROKER=mqtt://broker", NULL};
    made_file(made->secret, "pa ss\r\n", 7);
    assert_true(made_load(made, NULL, environment, NULL));
    assert_string_equal(made->config.mqtt_password, "pa ss");
    made_file(made->secret, "pa\0ss", 5);
    assert_false(made_load(made, NULL, environment, NULL));
    made_assert_said(made, "NUL");
    unlink(made->secret);
    assert_false(made_load(made, NULL, environment, NULL));
    made_assert_said(made, "GATEHOUSE_MQTT_PASSWORD_FILE");
}

static void secret_given_twice_is_refused(void **state)
{
    struct made *made = *state;
    const char *const environment[] = {"GATEHOUSE_MQTT_PASSWORD=x",
                                       "GATEHOUSE_MQTT_PASSWORD_FILE=/dev/null", NULL};
    assert_false(made_load(made, NULL, environment, NULL));
    made_assert_said(made, "both set");
}

static void secret_value_is_never_told(void **state)
{
    struct made *made = *state;
    const char *const environment[] = {"GATEHOUSE_MQTT_PASSWORD=hush\x01hush", NULL};
    assert_false(made_load(made, "{\"mqtt\":{\"password\":[\"hush\"]}}", environment, NULL));
    assert_int_equal(made->faults.count, 2);
    assert_false(made_said(made, "hush"));
}

static void only_secrets_have_a_file_variable_and_other_variables_pass(void **state)
{
    struct made *made = *state;
    const char *const refused[] = {"GATEHOUSE_HTTP_PORT_FILE=/dev/null", NULL};
    assert_false(made_load(made, NULL, refused, NULL));
    made_assert_said(made, "GATEHOUSE_HTTP_PORT_FILE is no key");
    const char *const fine[] = {"GATEHOUSE_MOSQUITTO=/usr/sbin/mosquitto", "GATEHOUSE_WWW=www",
                                "GATEHOUSE_TEST_X=1", "GATEHOUSES=1", NULL};
    assert_true(made_load(made, NULL, fine, NULL));
}

static void lists_and_objects_are_given_as_json(void **state)
{
    struct made *made = *state;
    const char *const sets[] = {"alerts.raw_frames=[\"2x3\"]", "custom={\"a\":{\"b\":[1]}}",
                                "http.trusted=[\"10.0.0.0/8\",\"fd00::/8\"]", NULL};
    assert_true(made_load(made, "{\"custom\":{\"z\":1}}", NULL, sets));
    assert_int_equal(made->config.alerts_raw_frames.count, 1);
    assert_string_equal(made->config.alerts_raw_frames.item[0], "2x3");
    assert_int_equal(made->config.http_trusted.count, 2);
    char *custom = json_print(made->config.custom);
    assert_string_equal(custom, "{\"a\":{\"b\":[1]}}");
    free(custom);
}

static const char *const values_refused[] = {
    "data_dir=",
    "http.listen=localhost",
    "http.listen=",
    "http.listen=1.2.3",
    "http.public_url=door.example",
    "http.public_url=http://",
    "http.public_url=http://door/",
    "http.public_url=ftp://door",
    "http.trusted=[\"10.0.0.0/33\"]",
    "http.trusted=[1]",
    "http.trusted=10.0.0.0/8",
    "http.port=",
    "http.port=-1",
    "http.port= 1",
    "http.port=1x",
    "http.port=99999999999999999999",
    "http.port=0x10",
    "http.insecure=yes",
    "mqtt.server_topic=",
    "mqtt.server_topic=a/#",
    "mqtt.server_topic=$SYS",
    "mqtt.server_topic=a b",
    "telemetry.topics=[\"a/#/b\"]",
    "telemetry.topics=[\"a#\"]",
    "telemetry.topics=[\"a+/b\"]",
    "telemetry.topics=[\"+b\"]",
    "telemetry.topics=[\"\"]",
    "telemetry.topics=[\"$SYS/#\"]",
    "alerts.raw_frames=[\"0x1\"]",
    "alerts.raw_frames=[\"1x65536\"]",
    "alerts.raw_frames=[\"1X2\"]",
    "alerts.raw_frames=[\"1x\"]",
    "alerts.raw_frames=[\"1x2x3\"]",
    "alerts.raw_frames=[\"01x2\"]",
    "alerts.raw_frames=[\"-1x2\"]",
    "site.timezone=/etc/passwd",
    "site.timezone=Europe",
    "site.timezone=Nowhere/Land",
    "site.timezone=Europe/../UTC",
    "pairing=ajar",
    "mqtt.anonymous=some",
    "custom=[]",
    "mqtt.client_id=a b",
};

static const char *const values_taken[] = {"http.listen=::1",
                                           "http.listen=0.0.0.0",
                                           "http.public_url=https://door.example/gate",
                                           "http.public_url=http://[::1]:5000",
                                           "http.port=0",
                                           "telemetry.topics=[]",
                                           "telemetry.topics=[\"+/b/#\",\"#\",\"/\"]",
                                           "alerts.raw_frames=[\"1x65535\"]",
                                           "alerts.raw_frames=[]",
                                           "site.timezone=Europe/Berlin",
                                           "site.timezone=UTC",
                                           "pairing=",
                                           "mqtt.anonymous=",
                                           "data_dir=some/where",
                                           "mqtt.client_id=house-1"};

static void lists_have_at_most_sixteen_items(void **state)
{
    struct made *made = *state;
    for (int count = 16; count <= 17; count++) {
        char set[256] = "alerts.raw_frames=[";
        for (int i = 0; i < count; i++)
            snprintf(set + strlen(set), sizeof set - strlen(set), "%s\"1x1\"", i ? "," : "");
        snprintf(set + strlen(set), sizeof set - strlen(set), "]");
        assert_int_equal(made_load_set(made, set), count == 16);
    }
}

static void values_are_checked_beyond_their_type(void **state)
{
    struct made *made = *state;
    for (size_t i = 0; i < sizeof values_refused / sizeof values_refused[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.*s must be ", (int)strcspn(values_refused[i], "="),
                 values_refused[i]);
        if (made_load_set(made, values_refused[i]))
            fail_msg("taken: %s", values_refused[i]);
        assert_int_equal(made->faults.count, 1);
        made_assert_said(made, key);
    }
    for (size_t i = 0; i < sizeof values_taken / sizeof values_taken[0]; i++)
        if (!made_load_set(made, values_taken[i]))
            fail_msg("refused: %s: %s", values_taken[i], made->faults.text[0]);
}

static void example_file_is_the_table(void **state)
{
    struct made *made = *state;
    char *text = config_example();
    assert_non_null(text);
    FILE *file = fopen("config.json.example", "r"); /* the tests run in the root */
    assert_non_null(file);
    char *found = calloc(1, strlen(text) + 2);
    size_t len = fread(found, 1, strlen(text) + 1, file);
    fclose(file);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(found, text, len);
    free(found);
    assert_true(made_load_json(made, text));
    struct json *object = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json_limits_wire, &object, NULL), ERR_OK);
    for (const struct field *row = config_fields; row->path; row++) {
        assert_non_null(row->fallback);
        assert_non_null(row->help);
    }
    json_free(object);
    free(text);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(without_any_source_every_key_has_its_default),
        UNIT(command_line_wins_over_environment_over_file),
        UNIT(all_mistakes_are_told_at_once_with_key_and_expectation),
        UNIT(file_is_read_strictly),
        UNIT(named_file_must_exist_and_be_a_file),
        UNIT(secret_comes_from_its_file_without_the_line_end),
        UNIT(secret_given_twice_is_refused),
        UNIT(secret_value_is_never_told),
        UNIT(only_secrets_have_a_file_variable_and_other_variables_pass),
        UNIT(lists_and_objects_are_given_as_json),
        UNIT(lists_have_at_most_sixteen_items),
        UNIT(values_are_checked_beyond_their_type),
        UNIT(example_file_is_the_table),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
