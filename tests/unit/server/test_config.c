/* SPDX-License-Identifier: MIT
 *
 * The configuration: sources and their order, what is said about mistakes, rules between keys.
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
#include "server/config.h"

struct fixture {
    char folder[64];
    char file[96], secret[96];
    struct config config;
    struct faults faults;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/gatehouse-config-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    snprintf(fixture->file, sizeof fixture->file, "%s/config.json", fixture->folder);
    snprintf(fixture->secret, sizeof fixture->secret, "%s/secret", fixture->folder);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    config_free(&fixture->config);
    unlink(fixture->file);
    unlink(fixture->secret);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Loads `json` (NULL: no file), variables and --set; each NULL-ended or NULL. */
static bool load(struct fixture *fixture, const char *json, const char *const *environment,
                 const char *const *sets)
{
    config_free(&fixture->config);
    fixture->faults.count = 0;
    unlink(fixture->file);
    if (json)
        write_file(fixture->file, json, strlen(json));
    struct config_source source = {.file = fixture->file,
                                   .file_must_exist = json != NULL,
                                   .sets = sets,
                                   .environment = environment};
    return config_load(&source, &fixture->config, &fixture->faults);
}

static bool load_json(struct fixture *fixture, const char *json)
{
    return load(fixture, json, NULL, NULL);
}

static bool load_set(struct fixture *fixture, const char *set)
{
    const char *const sets[] = {set, NULL};
    return load(fixture, NULL, NULL, sets);
}

static bool said(const struct fixture *fixture, const char *part)
{
    for (int i = 0; i < fixture->faults.count && i < FAULTS_MAX; i++)
        if (strstr(fixture->faults.text[i], part))
            return true;
    return false;
}

static void assert_said(const struct fixture *fixture, const char *part)
{
    if (said(fixture, part))
        return;
    for (int i = 0; i < fixture->faults.count && i < FAULTS_MAX; i++)
        print_error("said: %s\n", fixture->faults.text[i]);
    fail_msg("nobody said: %s", part);
}

static void without_any_source_every_key_has_its_default(void **state)
{
    struct fixture *fixture = *state;
    assert_true(load_json(fixture, NULL));
    const struct config *config = &fixture->config;
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
    struct fixture *fixture = *state;
    const char *const environment[] = {"PATH=/bin", "GATEHOUSE_HTTP_PORT=5002",
                                       "GATEHOUSE_MQTT_PORT=1002", NULL};
    const char *const sets[] = {"http.port=5003", NULL};
    const char *json = "{\"http\":{\"port\":5001,\"max_upload_mb\":3},\"mqtt\":{\"port\":1001}}";
    assert_true(load(fixture, json, environment, sets));
    assert_int_equal(fixture->config.http_port, 5003);
    assert_int_equal(fixture->config.mqtt_port, 1002);
    assert_int_equal(fixture->config.http_max_upload_mb, 3);
}

static void all_mistakes_are_told_at_once_with_key_and_expectation(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"GATEHOUSE_HTTP_PROT=1", NULL};
    const char *const sets[] = {"http.max_upload_mb=0", "nothing", "http.prot=1", NULL};
    const char *json =
        "{\"http\":{\"port\":65536,\"auth\":\"nobody\",\"insecure\":1},\"colour\":\"blue\","
        "\"mqtt\":5,\"site\":{\"timezone\":\"../etc/passwd\"},\"http.port\":1}";
    assert_false(load(fixture, json, environment, sets));
    assert_said(fixture, "http.port must be a whole number from 0 to 65535, not 65536");
    assert_said(fixture, "http.auth must be one of \"token\", \"none\", not \"nobody\"");
    assert_said(fixture, "http.insecure must be true or false, not 1");
    assert_said(fixture, "colour is no key");
    assert_said(fixture, "mqtt must be an object");
    assert_said(fixture, "site.timezone must be empty or the name of a time zone");
    assert_said(fixture, "http.port is no key");
    assert_said(fixture, "GATEHOUSE_HTTP_PROT is no key");
    assert_said(fixture, "--set: http.max_upload_mb must be a whole number from 1 to 1024");
    assert_said(fixture, "--set nothing: must be KEY=VALUE");
    assert_said(fixture, "--set: http.prot is no key");
    assert_int_equal(fixture->faults.count, 11);
}

static void file_is_read_strictly(void **state)
{
    struct fixture *fixture = *state;
    static const char *const broken[] = {"",
                                         "[]",
                                         "{\"pairing\":\"open\",\"pairing\":\"closed\"}",
                                         "{} {}",
                                         "{\"http\":{\"port\":5000,}}",
                                         "{\"pairing\":\"open\",\"Pairing\":\"open\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_false(load_json(fixture, broken[i]));
        assert_int_equal(fixture->faults.count, 1);
        assert_said(fixture, "config.json: ");
    }
}

static void named_file_must_exist_and_be_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct config_source source = {.file = fixture->file, .file_must_exist = true};
    assert_false(config_load(&source, &fixture->config, &fixture->faults));
    assert_said(fixture, "No such file");
    config_free(&fixture->config);
    fixture->faults.count = 0;
    source.file = fixture->folder;
    assert_false(config_load(&source, &fixture->config, &fixture->faults));
    assert_said(fixture, "can't be read");
}

static void secret_comes_from_its_file_without_the_line_end(void **state)
{
    struct fixture *fixture = *state;
    char variable[160];
    snprintf(variable, sizeof variable, "GATEHOUSE_MQTT_PASSWORD_FILE=%s", fixture->secret);
    const char *const environment[] = {variable, "GATEHOUSE_MQTT_USERNAME=me",
                                       "GATEHOUSE_MQTT_BROKER=mqtt://broker", NULL};
    write_file(fixture->secret, "pa ss\r\n", 7);
    assert_true(load(fixture, NULL, environment, NULL));
    assert_string_equal(fixture->config.mqtt_password, "pa ss");
    write_file(fixture->secret, "pa\0ss", 5);
    assert_false(load(fixture, NULL, environment, NULL));
    assert_said(fixture, "NUL");
    unlink(fixture->secret);
    assert_false(load(fixture, NULL, environment, NULL));
    assert_said(fixture, "GATEHOUSE_MQTT_PASSWORD_FILE");
}

static void secret_given_twice_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"GATEHOUSE_MQTT_PASSWORD=x",
                                       "GATEHOUSE_MQTT_PASSWORD_FILE=/dev/null", NULL};
    assert_false(load(fixture, NULL, environment, NULL));
    assert_said(fixture, "both set");
}

static void secret_value_is_never_told(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"GATEHOUSE_MQTT_PASSWORD=hush\x01hush", NULL};
    assert_false(load(fixture, "{\"mqtt\":{\"password\":[\"hush\"]}}", environment, NULL));
    assert_int_equal(fixture->faults.count, 2);
    assert_false(said(fixture, "hush"));
}

static void only_secrets_have_a_file_variable_and_other_variables_pass(void **state)
{
    struct fixture *fixture = *state;
    const char *const refused[] = {"GATEHOUSE_HTTP_PORT_FILE=/dev/null", NULL};
    assert_false(load(fixture, NULL, refused, NULL));
    assert_said(fixture, "GATEHOUSE_HTTP_PORT_FILE is no key");
    const char *const fine[] = {"GATEHOUSE_MOSQUITTO=/usr/sbin/mosquitto", "GATEHOUSE_WWW=www",
                                "GATEHOUSE_TEST_X=1", "GATEHOUSES=1", NULL};
    assert_true(load(fixture, NULL, fine, NULL));
}

static void lists_and_objects_are_given_as_json(void **state)
{
    struct fixture *fixture = *state;
    const char *const sets[] = {"alerts.raw_frames=[\"2x3\"]", "custom={\"a\":{\"b\":[1]}}",
                                "http.trusted=[\"10.0.0.0/8\",\"fd00::/8\"]", NULL};
    assert_true(load(fixture, "{\"custom\":{\"z\":1}}", NULL, sets));
    assert_int_equal(fixture->config.alerts_raw_frames.count, 1);
    assert_string_equal(fixture->config.alerts_raw_frames.item[0], "2x3");
    assert_int_equal(fixture->config.http_trusted.count, 2);
    char *custom = json_print(fixture->config.custom);
    assert_string_equal(custom, "{\"a\":{\"b\":[1]}}");
    free(custom);
}

static void values_are_checked_beyond_their_type(void **state)
{
    struct fixture *fixture = *state;
    static const char *const refused[] = {
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
        "alerts.raw_frames=[\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\","
        "\"1x1\","
        "\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\",\"1x1\"]"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.*s must be ", (int)strcspn(refused[i], "="), refused[i]);
        if (load_set(fixture, refused[i]))
            fail_msg("taken: %s", refused[i]);
        assert_int_equal(fixture->faults.count, 1);
        assert_said(fixture, key);
    }
    static const char *const taken[] = {"http.listen=::1",
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
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (!load_set(fixture, taken[i]))
            fail_msg("refused: %s: %s", taken[i], fixture->faults.text[0]);
}

static void open_server_off_loopback_needs_a_word(void **state)
{
    struct fixture *fixture = *state;
    assert_true(load_json(fixture, "{\"http\":{\"auth\":\"none\"}}"));
    assert_false(load_json(fixture, "{\"http\":{\"auth\":\"none\",\"listen\":\"0.0.0.0\"}}"));
    assert_said(fixture, "http.auth");
    assert_said(fixture, "http.insecure");
    assert_false(load_json(fixture, "{\"http\":{\"auth\":\"none\",\"listen\":\"::\"}}"));
    assert_true(load_json(
        fixture, "{\"http\":{\"auth\":\"none\",\"listen\":\"0.0.0.0\",\"insecure\":true}}"));
    assert_true(load_json(fixture, "{\"http\":{\"listen\":\"0.0.0.0\"}}"));
}

static void broker_address_is_parsed(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *set, *host;
        int port;
        bool tls;
    } taken[] = {
        {"mqtt.broker=mqtt://broker.example", "broker.example", 1883, false},
        {"mqtt.broker=mqtt://broker.example:1", "broker.example", 1, false},
        {"mqtt.broker=mqtts://10.0.0.1", "10.0.0.1", 8883, true},
        {"mqtt.broker=mqtts://10.0.0.1:65535/", "10.0.0.1", 65535, true},
        {"mqtt.broker=mqtt://[fd00::1]", "fd00::1", 1883, false},
        {"mqtt.broker=mqtts://[::1]:18883", "::1", 18883, true},
    };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_true(load_set(fixture, taken[i].set));
        assert_false(fixture->config.broker_embedded);
        assert_string_equal(fixture->config.broker_host, taken[i].host);
        assert_int_equal(fixture->config.broker_port, taken[i].port);
        assert_int_equal(fixture->config.broker_tls, taken[i].tls);
    }
    static const char *const refused[] = {"mqtt.broker=",
                                          "mqtt.broker=Embedded",
                                          "mqtt.broker=mqtt://",
                                          "mqtt.broker=mqtt://:1883",
                                          "mqtt.broker=mqtt://h:0",
                                          "mqtt.broker=mqtt://h:65536",
                                          "mqtt.broker=mqtt://h:",
                                          "mqtt.broker=mqtt://h:1x",
                                          "mqtt.broker=mqtt://h/topic",
                                          "mqtt.broker=mqtt://u@h",
                                          "mqtt.broker=mqtt://[::1",
                                          "mqtt.broker=mqtt://[zz]",
                                          "mqtt.broker=mqtt://::1",
                                          "mqtt.broker=tcp://h",
                                          "mqtt.broker=h:1883",
                                          "mqtt.broker=mqtt://[::1]1883",
                                          "mqtt.broker=mqtt://h//"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (load_set(fixture, refused[i]))
            fail_msg("taken: %s", refused[i]);
        assert_said(fixture, "mqtt.broker: must be");
        assert_int_equal(fixture->faults.count, 1);
    }
}

static void keys_of_the_other_kind_of_broker_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const outside_only[] = {"mqtt.username", "mqtt.ca_file"};
    for (size_t i = 0; i < 2; i++) {
        char set[64];
        snprintf(set, sizeof set, "%s=x", outside_only[i]);
        assert_false(load_set(fixture, set));
        assert_said(fixture, outside_only[i]);
    }
    assert_false(load_set(fixture, "mqtt.password=x"));
    assert_said(fixture, "mqtt.password: only for a broker that is not embedded");
    const char *const with_tls[] = {"mqtt.broker=mqtt://h", "mqtt.tls.port=8883", "mqtt.tls.cert=c",
                                    "mqtt.tls.key=k", NULL};
    assert_false(load(fixture, NULL, NULL, with_tls));
    assert_said(fixture, "mqtt.tls: only for the embedded broker");
    const char *const plain_with_ca[] = {"mqtt.broker=mqtt://h", "mqtt.ca_file=x", NULL};
    assert_false(load(fixture, NULL, NULL, plain_with_ca));
    const char *const fine[] = {"mqtt.broker=mqtts://h", "mqtt.ca_file=x", "mqtt.username=u",
                                "mqtt.password=p", NULL};
    assert_true(load(fixture, NULL, NULL, fine));
}

static void certificate_and_key_go_together(void **state)
{
    struct fixture *fixture = *state;
    assert_false(load_json(fixture, "{\"mqtt\":{\"tls\":{\"port\":8883}}}"));
    assert_said(fixture, "mqtt.tls.port: needs");
    assert_false(load_json(fixture, "{\"mqtt\":{\"tls\":{\"port\":8883,\"cert\":\"c\"}}}"));
    assert_said(fixture, "mqtt.tls.key: missing");
    assert_false(load_json(fixture, "{\"mqtt\":{\"tls\":{\"port\":8883,\"key\":\"k\"}}}"));
    assert_said(fixture, "mqtt.tls.cert: missing");
    assert_false(load_json(fixture, "{\"mqtt\":{\"tls\":{\"cert\":\"c\",\"key\":\"k\"}}}"));
    assert_said(fixture, "mqtt.tls.port: must be");
    const char *same = "{\"mqtt\":{\"tls\":{\"port\":1883,\"cert\":\"c\",\"key\":\"k\"}}}";
    assert_false(load_json(fixture, same));
    assert_said(fixture, "must differ");
    const char *fine = "{\"mqtt\":{\"tls\":{\"port\":8883,\"cert\":\"c\",\"key\":\"k\"}}}";
    assert_true(load_json(fixture, fine));
    assert_false(load_json(fixture, "{\"http\":{\"tls\":{\"cert\":\"c\",\"key\":\"k\"}}}"));
    assert_said(fixture, "not available in this version: put a TLS proxy in front");
}

static void pairing_and_anonymous_go_by_the_broker_unless_given(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *json;
        enum pairing pairing;
        enum anonymous_may anonymous;
    } pairs[] = {
        {"{}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"mqtt\":{\"listen\":\"::1\"}}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"mqtt\":{\"listen\":\"0.0.0.0\"}}", PAIRING_WINDOW, ANONYMOUS_NOTHING},
        {"{\"mqtt\":{\"broker\":\"mqtt://broker.example\"}}", PAIRING_WINDOW, ANONYMOUS_NOTHING},
        {"{\"mqtt\":{\"broker\":\"mqtt://127.0.0.1\"}}", PAIRING_OPEN, ANONYMOUS_NOTHING},
        {"{\"pairing\":\"\",\"mqtt\":{\"anonymous\":\"\"}}", PAIRING_OPEN, ANONYMOUS_ALL},
        {"{\"pairing\":\"closed\",\"mqtt\":{\"anonymous\":\"hand_shake\"}}", PAIRING_CLOSED,
         ANONYMOUS_HAND_SHAKE},
        {"{\"pairing\":\"open\",\"mqtt\":{\"listen\":\"0.0.0.0\",\"anonymous\":\"all\"}}",
         PAIRING_OPEN, ANONYMOUS_ALL},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_true(load_json(fixture, pairs[i].json));
        assert_int_equal(fixture->config.pairing, 1 + (int)pairs[i].pairing);
        assert_int_equal(fixture->config.mqtt_anonymous, 1 + (int)pairs[i].anonymous);
    }
}

static void loopback_addresses_are_known(void **state)
{
    (void)state;
    static const char *const inside[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1",
                                         "localhost"};
    static const char *const outside[] = {"0.0.0.0",           "::",      "128.0.0.1",
                                          "10.0.0.1",          "fe80::1", "::ffff:10.0.0.1",
                                          "127.0.0.1.example", ""};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        assert_true(address_is_loopback(inside[i]));
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_false(address_is_loopback(outside[i]));
}

static void example_file_is_the_table(void **state)
{
    struct fixture *fixture = *state;
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
    assert_true(load_json(fixture, text));
    struct json *object = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json_limits_wire, &object, NULL), ERR_OK);
    for (const struct field *row = config_fields; row->path; row++) {
        assert_non_null(row->fallback);
        assert_non_null(row->help);
    }
    json_free(object);
    free(text);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        UNIT(values_are_checked_beyond_their_type),
        UNIT(open_server_off_loopback_needs_a_word),
        UNIT(broker_address_is_parsed),
        UNIT(keys_of_the_other_kind_of_broker_are_refused),
        UNIT(certificate_and_key_go_together),
        UNIT(pairing_and_anonymous_go_by_the_broker_unless_given),
        UNIT(loopback_addresses_are_known),
        UNIT(example_file_is_the_table),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
