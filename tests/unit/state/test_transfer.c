/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/transfer.h"
#include "tests/unit/state/house.h"
#include "tests/unit/state/scratch.h"

#define ID_A "0123456789abcdef0123456789abcdef"
#define ID_B "fedcba9876543210fedcba9876543210"
#define HASH ID_A ID_B

static char *export_from(const char *data_dir, int64_t now_at)
{
    char *text = NULL;
    size_t len = 0;
    struct cause cause = {.text = ""};
    FILE *out = open_memstream(&text, &len);
    if (transfer_export(data_dir, out, now_at, &cause) != ERR_OK)
        fail_msg("%s", cause.text);
    fclose(out);
    return text;
}

static char *export_house(struct house *house)
{
    return export_from(house->data_dir, HOUSE_NOW);
}

static enum err import_text(const char *text, struct batch **batch, struct import_report *report,
                            struct cause *cause)
{
    struct json *document = NULL;
    struct cause why = {.text = ""};
    if (json_parse(text, strlen(text), &json_limits_file, &document, &why) != ERR_OK)
        fail_msg("%s: %s", why.text, text);
    enum err result = transfer_import(document, HOUSE_NOW, batch, report, cause);
    json_free(document);
    return result;
}

static void keep_batch(struct house *house, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->changes[i].op, CHANGE_PUT);
        house_put(house, batch->changes[i].kind, batch->changes[i].record);
    }
    house_commit(house);
    batch_free(batch);
}

/* One of each kind, with texts that need escapes. */
static void fill_house(struct house *house)
{
    struct meta meta = {.key = "instance", .value = "secret of this server"};
    struct device door = {.id = "front",
                          .topic = "todevice",
                          .spoke = true,
                          .lock = LOCK_JAMMED,
                          .presence = PRESENCE_HERE,
                          .created_at = 1,
                          .changed_at = 1600000000123,
                          .seen_at = HOUSE_NOW};
    struct device named = {.id = "a\"b\\c", .created_at = HOUSE_NOW};
    struct app app = {.id = "app", .topic = "t\xc3\xb6pic", .created_at = 5};
    struct pair pair = {.device_id = "front", .app_id = "app", .app_topic = "app"};
    struct token token = {.hash = HASH,
                          .prefix = "01234567",
                          .name = "my phone",
                          .role = ROLE_ADMIN,
                          .kind = TOKEN_BEARER,
                          .expires_at = HOUSE_NOW};
    struct data_item data = {.key = "mode", .seq = 3, .value = "tab\tand\001control"};
    struct custom custom = {.key = "lights",
                            .changed_at = 9,
                            .value =
                                (char *)(uintptr_t) "{ \"on\" : [1, 2.50, null], \"x\":\"y\" }"};
    struct command command = {.id = ID_A,
                              .device_id = "front",
                              .word = "lock",
                              .command_class = 2,
                              .state = COMMAND_DONE,
                              .asked_by = "my phone",
                              .way = "http",
                              .created_at = 7,
                              .ended_at = 8,
                              .expires_boot = 123456789012345};
    struct alert alert = {.id = ID_B,
                          .capability = ID_A,
                          .claimed = "2020-07-31 11:03:20",
                          .topics = (char *)(uintptr_t) "app toapp",
                          .created_at = 4};
    struct alert alone = {.id = ID_A,
                          .capability = ID_B,
                          .topics = (char *)(uintptr_t) "",
                          .picture_id = ID_A,
                          .sent_at = 5};
    struct door_log row = {.logged_at = HOUSE_NOW,
                           .who = "anonymous",
                           .word = "lock",
                           .allowed = true,
                           .outcome = "done"};
    house_put(house, REC_META, &meta);
    house_put(house, REC_DEVICE, &door);
    house_put(house, REC_DEVICE, &named);
    house_put(house, REC_APP, &app);
    house_put(house, REC_PAIR, &pair);
    house_put(house, REC_TOKEN, &token);
    house_put(house, REC_DATA, &data);
    house_put(house, REC_CUSTOM, &custom);
    house_put(house, REC_COMMAND, &command);
    house_put(house, REC_ALERT, &alert);
    house_put(house, REC_ALERT, &alone);
    house_put(house, REC_DOOR_LOG, &row);
    house_put(house, REC_DOOR_LOG, &row);
    house_commit(house);
}

static const char filled[] =
    "{\n"
    "  \"format\": \"gatehouse-state\",\n"
    "  \"version\": 1,\n"
    "  \"exported_at\": \"2026-01-02T03:04:05.678Z\",\n"
    "  \"devices\": [\n"
    "    {\"id\": \"a\\\"b\\\\c\", \"topic\": \"\", \"spoke\": false, \"lock\": \"unknown\", "
    "\"presence\": \"unknown\", \"created_at\": \"2026-01-02T03:04:05.678Z\", \"changed_at\": "
    "null, "
    "\"seen_at\": null},\n"
    "    {\"id\": \"front\", \"topic\": \"todevice\", \"spoke\": true, \"lock\": \"jammed\", "
    "\"presence\": \"here\", \"created_at\": \"1970-01-01T00:00:00.001Z\", "
    "\"changed_at\": \"2020-09-13T12:26:40.123Z\", \"seen_at\": \"2026-01-02T03:04:05.678Z\"}\n"
    "  ],\n"
    "  \"apps\": [\n"
    "    {\"id\": \"app\", \"topic\": \"t\xc3\xb6pic\", \"spoke\": false, "
    "\"created_at\": \"1970-01-01T00:00:00.005Z\", \"seen_at\": null}\n"
    "  ],\n"
    "  \"pairs\": [\n"
    "    {\"device_id\": \"front\", \"app_id\": \"app\", \"app_topic\": \"app\", "
    "\"created_at\": null}\n"
    "  ],\n"
    "  \"tokens\": [\n"
    "    {\"hash\": \"" HASH "\", \"prefix\": \"01234567\", \"name\": \"my phone\", "
    "\"kind\": \"bearer\", \"role\": \"admin\", \"created_at\": null, "
    "\"expires_at\": \"2026-01-02T03:04:05.678Z\"}\n"
    "  ],\n"
    "  \"data\": [\n"
    "    {\"key\": \"mode\", \"seq\": 3, \"value\": \"tab\\tand\\u0001control\", "
    "\"changed_at\": null}\n"
    "  ],\n"
    "  \"custom\": [\n"
    "    {\"key\": \"lights\", \"value\": {\"on\":[1,2.5,null],\"x\":\"y\"}, "
    "\"changed_at\": \"1970-01-01T00:00:00.009Z\"}\n"
    "  ],\n"
    "  \"commands\": [\n"
    "    {\"id\": \"" ID_A "\", \"device_id\": \"front\", \"app_id\": \"\", \"word\": \"lock\", "
    "\"command_class\": \"safe\", \"state\": \"done\", \"asked_by\": \"my phone\", "
    "\"way\": \"http\", \"reason\": \"\", \"created_at\": \"1970-01-01T00:00:00.007Z\", "
    "\"expires_at\": null, \"sent_at\": null, \"ended_at\": \"1970-01-01T00:00:00.008Z\", "
    "\"expires_boot\": 123456789012345, \"boot_id\": \"\"}\n"
    "  ],\n"
    "  \"alerts\": [\n"
    "    {\"id\": \"" ID_A "\", \"capability\": \"" ID_B "\", \"device_id\": \"\", "
    "\"claimed\": \"\", \"topics\": [], \"picture_id\": \"" ID_A "\", \"created_at\": null, "
    "\"sent_at\": \"1970-01-01T00:00:00.005Z\"},\n"
    "    {\"id\": \"" ID_B "\", \"capability\": \"" ID_A "\", \"device_id\": \"\", "
    "\"claimed\": \"2020-07-31 11:03:20\", \"topics\": [\"app\", \"toapp\"], \"picture_id\": \"\", "
    "\"created_at\": \"1970-01-01T00:00:00.004Z\", \"sent_at\": null}\n"
    "  ],\n"
    "  \"pictures\": [],\n"
    "  \"door_log\": [\n"
    "    {\"seq\": 1, \"logged_at\": \"2026-01-02T03:04:05.678Z\", \"who\": \"anonymous\", "
    "\"way\": \"\", \"source\": \"\", \"word\": \"lock\", \"device_id\": \"\", "
    "\"command_id\": \"\", \"allowed\": true, \"outcome\": \"done\", \"reason\": \"\"},\n"
    "    {\"seq\": 2, \"logged_at\": \"2026-01-02T03:04:05.678Z\", \"who\": \"anonymous\", "
    "\"way\": \"\", \"source\": \"\", \"word\": \"lock\", \"device_id\": \"\", "
    "\"command_id\": \"\", \"allowed\": true, \"outcome\": \"done\", \"reason\": \"\"}\n"
    "  ]\n"
    "}\n";

static void an_export_has_these_bytes(void **state)
{
    (void)state;
    struct house house;
    house_open(&house);
    fill_house(&house);
    char *text = export_house(&house);
    assert_string_equal(text, filled);
    free(text);
    house_close(&house);
}

static void exports_differ_only_in_their_time_with_a_server_and_without(void **state)
{
    (void)state;
    struct house house;
    house_open(&house);
    fill_house(&house);
    char *first = export_house(&house);
    char *later = export_from(house.data_dir, HOUSE_NOW + 1000);
    house_stop(&house);
    char *stopped = export_house(&house);
    assert_string_not_equal(first, later);
    assert_string_equal(strstr(first, "\"devices\""), strstr(later, "\"devices\""));
    assert_string_equal(first, stopped);
    free(first);
    free(later);
    free(stopped);
    house_close(&house);
}

static void an_import_exports_to_the_same_bytes(void **state)
{
    (void)state;
    struct house house;
    struct batch *batch = NULL;
    static struct import_report report;
    struct cause cause = {.text = ""};
    assert_int_equal(import_text(filled, &batch, &report, &cause), ERR_OK);
    assert_int_equal(batch->count, 12);
    assert_int_equal(report.records[REC_DEVICE], 2);
    assert_int_equal(report.records[REC_DOOR_LOG], 2);
    assert_int_equal(report.skipped_count, 0);
    house_open(&house);
    keep_batch(&house, batch);
    char *text = export_house(&house);
    assert_string_equal(text, filled);
    free(text);
    house_close(&house);
}

static void an_empty_state_goes_out_and_in(void **state)
{
    (void)state;
    struct house house;
    struct batch *batch = NULL;
    static struct import_report report;
    house_open(&house);
    char *text = export_house(&house);
    assert_non_null(strstr(text, "\"devices\": [],\n"));
    assert_int_equal(import_text(text, &batch, &report, NULL), ERR_OK);
    assert_int_equal(batch->count, 0);
    batch_free(batch);
    free(text);
    house_close(&house);
}

static void an_export_that_cannot_be_written_fails(void **state)
{
    (void)state;
    struct house house;
    struct cause cause = {.text = ""};
    house_open(&house);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(transfer_export(house.data_dir, full, HOUSE_NOW, &cause), ERR_DISK_FULL);
    fclose(full);
    house_close(&house);
}

static void without_a_database_there_is_nothing_to_export(void **state)
{
    (void)state;
    struct cause cause = {.text = ""};
    char *folder = scratch_new();
    FILE *out = fopen("/dev/null", "w");
    assert_int_equal(transfer_export(folder, out, HOUSE_NOW, &cause), ERR_NOT_FOUND);
    assert_int_equal(scratch_count_files(folder), 0);
    fclose(out);
    scratch_free(folder);
}

#define HEAD "{\"format\":\"gatehouse-state\",\"version\":1,"

/* Each of these is refused whole, and the cause names the place. */
static const struct {
    const char *document, *place;
} mistakes[] = {
    {"[]", "object"},
    {"{}", "neither"},
    {"{\"format\":\"else\",\"version\":1}", "neither"},
    {"{\"format\":\"gatehouse-state\"}", "version"},
    {"{\"format\":\"gatehouse-state\",\"version\":\"1\"}", "version"},
    {"{\"format\":\"gatehouse-state\",\"version\":0}", "version"},
    {HEAD "\"exported_at\":5}", "exported_at"},
    {HEAD "\"exported_at\":\"yesterday\"}", "exported_at"},
    {HEAD "\"meta\":[]}", "meta"},
    {HEAD "\"machines\":[]}", "machines"},
    {HEAD "\"devices\":{}}", "devices"},
    {HEAD "\"devices\":[1]}", "devices[0]"},
    {HEAD "\"devices\":[{}]}", "devices[0].id"},
    {HEAD "\"devices\":[{\"id\":\"ok\"},{\"id\":\"\"}]}", "devices[1].id"},
    {HEAD "\"devices\":[{\"id\":5}]}", "devices[0].id"},
    {HEAD "\"devices\":[{\"id\":\"a b\"}]}", "devices[0].id"},
    {HEAD "\"devices\":[{\"id\":\"#\"}]}", "devices[0].id"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"topic\":\"a/+\"}]}", "devices[0].topic"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"spoke\":1}]}", "devices[0].spoke"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"lock\":\"open\"}]}",
     "one of unknown, locked, unlocked, jammed"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"seen_at\":5}]}", "devices[0].seen_at"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"seen_at\":\"1969-12-31T23:59:59Z\"}]}",
     "devices[0].seen_at"},
    {HEAD "\"devices\":[{\"id\":\"ok\",\"colour\":\"red\"}]}", "devices[0].colour"},
    {HEAD "\"devices\":[{\"id\":\"ok\"},{\"id\":\"other\"},{\"id\":\"ok\"}]}", "\"ok\""},
    {HEAD "\"apps\":[{\"id\":\"$SYS\"}]}", "apps[0].id"},
    {HEAD "\"pairs\":[{\"device_id\":\"d\"}]}", "pairs[0].app_id"},
    {HEAD "\"pairs\":[{\"device_id\":\"d\",\"app_id\":\"a\"},"
          "{\"app_id\":\"a\",\"device_id\":\"d\"}]}",
     "twice"},
    {HEAD "\"devices\":[{\"id\":\"a\",\"topic\":\"t\"},{\"id\":\"b\",\"topic\":\"t\"}]}",
     "device \"b\""},
    {HEAD "\"devices\":[{\"id\":\"a\",\"topic\":\"t\"}],"
          "\"apps\":[{\"id\":\"p\",\"topic\":\"t\"}]}",
     "app \"p\""},
    {HEAD "\"tokens\":[{\"hash\":\"abc\"}]}", "tokens[0].hash"},
    {HEAD "\"tokens\":[{\"hash\":\"" HASH "\",\"prefix\":\"0123456789\"}]}",
     "tokens[0].prefix: expected at most 8 bytes"},
    {HEAD "\"tokens\":[{\"hash\":\"" HASH "\",\"role\":\"root\"}]}", "tokens[0].role"},
    {HEAD "\"data\":[{\"key\":\"\"}]}", "data[0].key"},
    {HEAD "\"data\":[{\"key\":\"k\",\"seq\":1.5}]}", "data[0].seq"},
    {HEAD "\"data\":[{\"key\":\"k\",\"seq\":-1}]}", "data[0].seq"},
    {HEAD "\"commands\":[{\"id\":\"../../../../../../../../etc/passwd\"}]}", "commands[0].id"},
    {HEAD "\"commands\":[{\"id\":\"" ID_A "\",\"word\":\"lock\"}]}", "commands[0].device_id"},
    {HEAD "\"alerts\":[{\"id\":\"" ID_A "\",\"capability\":\"" ID_A "\",\"topics\":\"app\"}]}",
     "alerts[0].topics"},
    {HEAD "\"alerts\":[{\"id\":\"" ID_A "\",\"capability\":\"" ID_A "\",\"topics\":[\"a b\"]}]}",
     "alerts[0].topics"},
    {HEAD "\"alerts\":[{\"id\":\"" ID_A "\"}]}", "alerts[0].capability"},
    {HEAD "\"pictures\":[{\"id\":\"x\"}]}", "pictures[0].id"},
    {HEAD "\"door_log\":[{\"seq\":0}]}", "door_log[0].seq"},
    {HEAD "\"door_log\":[{\"seq\":7},{\"seq\":7}]}", "door_log"},
};

static void a_mistake_anywhere_refuses_all_and_names_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct batch *batch = NULL;
        static struct import_report report;
        struct cause cause = {.text = ""};
        if (import_text(mistakes[i].document, &batch, &report, &cause) != ERR_BAD_INPUT ||
            strstr(cause.text, mistakes[i].place) == NULL || batch != NULL)
            fail_msg("%s: %s", mistakes[i].document, cause.text);
    }
}

static void a_name_of_one_byte_too_many_is_refused(void **state)
{
    (void)state;
    char document[512], name[NAME_SIZE + 1];
    struct batch *batch = NULL;
    static struct import_report report;
    memset(name, 'n', sizeof name - 1);
    name[NAME_MAX_BYTES] = '\0';
    snprintf(document, sizeof document, HEAD "\"devices\":[{\"id\":\"%s\"}]}", name);
    assert_int_equal(import_text(document, &batch, &report, NULL), ERR_OK);
    batch_free(batch);
    name[NAME_MAX_BYTES] = 'n';
    name[NAME_SIZE] = '\0';
    snprintf(document, sizeof document, HEAD "\"devices\":[{\"id\":\"%s\"}]}", name);
    assert_int_equal(import_text(document, &batch, &report, NULL), ERR_BAD_INPUT);
}

static void a_document_from_the_future_is_refused_as_such(void **state)
{
    (void)state;
    struct batch *batch = NULL;
    static struct import_report report;
    struct cause cause = {.text = ""};
    assert_int_equal(
        import_text("{\"format\":\"gatehouse-state\",\"version\":2}", &batch, &report, &cause),
        ERR_NEWER);
    assert_non_null(strstr(cause.text, "version 2"));
}

static void what_is_missing_has_its_zero(void **state)
{
    (void)state;
    struct batch *batch = NULL;
    static struct import_report report;
    assert_int_equal(import_text(HEAD "\"devices\":[{\"id\":\"d\"}],\"custom\":[{\"key\":\"k\"}]}",
                                 &batch, &report, NULL),
                     ERR_OK);
    const struct device *device = batch->changes[0].record;
    assert_string_equal(device->topic, "");
    assert_int_equal(device->lock, LOCK_UNKNOWN);
    assert_int_equal(device->created_at, 0);
    assert_string_equal(((const struct custom *)batch->changes[1].record)->value, "null");
    batch_free(batch);
}

static bool is_listed(const struct import_report *report, const char *start)
{
    for (size_t i = 0; i < report->skipped_count && i < 64; i++)
        if (strncmp(report->skipped[i], start, strlen(start)) == 0)
            return true;
    return false;
}

static void what_is_not_taken_over_is_listed(void **state)
{
    (void)state;
    struct batch *batch = NULL;
    static struct import_report report;
    static const char document[] =
        HEAD "\"tokens\":[{\"hash\":\"" HASH "\",\"prefix\":\"p1\",\"kind\":\"session\"},"
             "{\"hash\":\"" ID_B ID_A "\",\"prefix\":\"p2\",\"kind\":\"code\"},"
             "{\"hash\":\"" ID_B ID_B "\",\"prefix\":\"p3\",\"kind\":\"bearer\"}],"
             "\"pictures\":[{\"id\":\"" ID_A "\",\"sha256\":\"" HASH "\"},"
             "{\"id\":\"" ID_B "\",\"sha256\":\"" HASH "\"}],"
             "\"commands\":[{\"id\":\"" ID_A "\",\"device_id\":\"d\",\"word\":\"unlock\","
             "\"state\":\"sent\"},{\"id\":\"" ID_B "\",\"device_id\":\"d\",\"word\":\"unlock\","
             "\"state\":\"unknown\"}]}";
    assert_int_equal(import_text(document, &batch, &report, NULL), ERR_OK);
    assert_int_equal(batch->count, 2);
    assert_int_equal(report.records[REC_TOKEN], 1);
    assert_int_equal(report.records[REC_COMMAND], 1);
    assert_int_equal(report.records[REC_PICTURE], 0);
    assert_int_equal(report.skipped_count, 4);
    assert_true(is_listed(&report, "token p1: "));
    assert_true(is_listed(&report, "token p2: "));
    assert_true(is_listed(&report, "pictures: 2"));
    assert_true(is_listed(&report, "command " ID_A ": "));
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_has_these_bytes),
        cmocka_unit_test(exports_differ_only_in_their_time_with_a_server_and_without),
        cmocka_unit_test(an_import_exports_to_the_same_bytes),
        cmocka_unit_test(an_empty_state_goes_out_and_in),
        cmocka_unit_test(an_export_that_cannot_be_written_fails),
        cmocka_unit_test(without_a_database_there_is_nothing_to_export),
        cmocka_unit_test(a_mistake_anywhere_refuses_all_and_names_the_place),
        cmocka_unit_test(a_name_of_one_byte_too_many_is_refused),
        cmocka_unit_test(a_document_from_the_future_is_refused_as_such),
        cmocka_unit_test(what_is_missing_has_its_zero),
        cmocka_unit_test(what_is_not_taken_over_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
