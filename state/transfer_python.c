/* SPDX-License-Identifier: MIT
 *
 * The Python server's config.json (CONTRACT 1.5) becomes devices, apps and pairs. Its shapes are
 * taken with patience, its names strictly: a name that a hand-shake would refuse ends the import.
 * What has no meaning here is listed, with where it went.
 *
 *   "topic": {"2server": T, "2device": [ID...], "2app_deivce": [ID...]}     (spelled so)
 *   "device_pair_app2device": {APP: DEVICE or [DEVICE...]}
 *   "device_pair_device2app": {DEVICE: APP or [APP...]}
 */
#include "state/transfer.h"

#include <string.h>

#include "server/base/names.h"
#include "state/transfer_priv.h"

struct python {
    int64_t now_at;
    const char *server_topic; /* "" when the file names none */
    struct registry *seen;    /* what is in the batch so far */
    struct batch *batch;
    struct import_report *report;
    struct cause *cause;
};

/* Keys without a meaning here, and what to do instead. */
static const struct {
    const char *key, *reason;
} reasons[] = {
    {"host", "set mqtt.broker in the configuration"},
    {"port", "set mqtt.broker in the configuration"},
    {"client_id", "set mqtt.client_id in the configuration for a broker of your own"},
    {"keepalive", "the server sets its own"},
    {"qos", "each kind of message has its own"},
    {"action_load", "the actions are part of the program"},
    {"action_func_name", "the actions are part of the program"},
    {"use_quick_search", "the server always looks words up by key"},
    {"on_running", "it was only a state of the running server"},
    {"on_connect", "it was only a state of the running server"},
    {"device_type", "this is always the server"},
    {"topic_subscribe", "set mqtt.server_topic and telemetry.topics in the configuration"},
};

bool transfer_is_python(const struct json *document)
{
    if (json_get(document, "format") != NULL)
        return false;
    const struct json *topic = json_get(document, "topic");
    return json_get(topic, "2server") != NULL || json_get(topic, "2device") != NULL ||
           json_get(topic, "2app_deivce") != NULL ||
           json_get(document, "device_pair_app2device") != NULL ||
           json_get(document, "device_pair_device2app") != NULL;
}

static enum err put(struct python *python, enum record_kind kind, const void *record)
{
    enum err result = registry_apply(python->seen, CHANGE_PUT, kind, record);
    if (result == ERR_OK)
        result = transfer_put(python->batch, python->report, kind, record, python->cause);
    return result;
}

static enum err check_name(struct python *python, const char *where, const char *name)
{
    if (name != NULL && name_is_valid(name, strlen(name)))
        return ERR_OK;
    return cause_set(python->cause, ERR_BAD_INPUT,
                     "%s: %s%s%s is not a name without spaces, + or #, of at most 128 bytes", where,
                     name != NULL ? "\"" : "", name != NULL ? name : "something that is no text",
                     name != NULL ? "\"" : "");
}

/* Adds a device or app named after its topic unless it is there. *added is false when another holds
 * that topic: then it is listed. */
static enum err add_holder(struct python *python, enum record_kind kind, const char *where,
                           const char *name, bool *added)
{
    const struct device *device = registry_device_by_topic(python->seen, name);
    const struct app *app = registry_app_by_topic(python->seen, name);
    *added = kind == REC_DEVICE ? device != NULL : app != NULL;
    if (*added)
        return ERR_OK;
    if (device != NULL || app != NULL || strcmp(name, python->server_topic) == 0) {
        transfer_skip(python->report, "%s: %s is the topic of %s already", where, name,
                      device != NULL ? "a device"
                      : app != NULL  ? "an app"
                                     : "the server");
        return ERR_OK;
    }
    *added = true;
    size_t len = strlen(name);
    if (kind == REC_DEVICE) {
        struct device fresh = {.created_at = python->now_at};
        memcpy(fresh.id, name, len);
        memcpy(fresh.topic, name, len);
        return put(python, kind, &fresh);
    }
    struct app fresh = {.created_at = python->now_at};
    memcpy(fresh.id, name, len);
    memcpy(fresh.topic, name, len);
    return put(python, kind, &fresh);
}

static enum err add_pair(struct python *python, const char *where, const char *device_id,
                         const char *app_id)
{
    bool has_device, has_app = false;
    struct pair pair = {.created_at = python->now_at};
    enum err result = add_holder(python, REC_DEVICE, where, device_id, &has_device);
    if (result == ERR_OK)
        result = add_holder(python, REC_APP, where, app_id, &has_app);
    if (result != ERR_OK || !has_device || !has_app ||
        registry_pair(python->seen, device_id, app_id) != NULL)
        return result;
    memcpy(pair.device_id, device_id, strlen(device_id));
    memcpy(pair.app_id, app_id, strlen(app_id));
    memcpy(pair.app_topic, app_id, strlen(app_id));
    return put(python, REC_PAIR, &pair);
}

/* One value that is a name, or a list of names. */
typedef enum err name_fn(struct python *python, const char *where, const char *from,
                         const char *name);

static enum err each_name(struct python *python, const char *where, const char *from,
                          const struct json *value, name_fn *visit)
{
    bool list = json_type(value) == JSON_ARRAY;
    enum err result = ERR_OK;
    if (json_type(value) == JSON_NULL)
        return ERR_OK;
    for (const struct json *item = list ? json_first(value) : value;
         result == ERR_OK && item != NULL; item = list ? json_next(item) : NULL) {
        result = check_name(python, where, json_str(item));
        if (result == ERR_OK)
            result = visit(python, where, from, json_str(item));
    }
    return result;
}

static enum err visit_device(struct python *python, const char *where, const char *from,
                             const char *name)
{
    bool added;
    (void)from;
    return add_holder(python, REC_DEVICE, where, name, &added);
}

static enum err visit_app(struct python *python, const char *where, const char *from,
                          const char *name)
{
    bool added;
    (void)from;
    return add_holder(python, REC_APP, where, name, &added);
}

static enum err visit_app_of_device(struct python *python, const char *where, const char *from,
                                    const char *name)
{
    return add_pair(python, where, from, name);
}

static enum err visit_device_of_app(struct python *python, const char *where, const char *from,
                                    const char *name)
{
    return add_pair(python, where, name, from);
}

static enum err add_pairs(struct python *python, const struct json *map, name_fn *visit)
{
    const char *where = json_name(map);
    enum err result = ERR_OK;
    if (json_type(map) != JSON_OBJECT) {
        if (json_type(map) != JSON_NULL && json_count(map) + (json_str(map) != NULL) > 0)
            transfer_skip(python->report, "%s: it maps no names to names", where);
        return ERR_OK;
    }
    for (const struct json *entry = json_first(map); result == ERR_OK && entry != NULL;
         entry = json_next(entry)) {
        result = check_name(python, where, json_name(entry));
        if (result == ERR_OK)
            result = each_name(python, where, json_name(entry), entry, visit);
    }
    return result;
}

static enum err add_topics(struct python *python, const struct json *topic)
{
    enum err result = ERR_OK;
    if (json_type(topic) != JSON_OBJECT) {
        transfer_skip(python->report, "topic: it has no lists of topics");
        return ERR_OK;
    }
    for (const struct json *member = json_first(topic); result == ERR_OK && member != NULL;
         member = json_next(member)) {
        if (strcmp(json_name(member), "2device") == 0)
            result = each_name(python, "topic.2device", NULL, member, visit_device);
        else if (strcmp(json_name(member), "2app_deivce") == 0)
            result = each_name(python, "topic.2app_deivce", NULL, member, visit_app);
        else if (strcmp(json_name(member), "2server") == 0)
            transfer_skip(python->report,
                          "topic.2server: set mqtt.server_topic in the configuration");
        else
            transfer_skip(python->report, "topic.%s: it is not known", json_name(member));
    }
    return result;
}

static void list_key(struct python *python, const char *key)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(reasons[i].key, key) == 0) {
            transfer_skip(python->report, "%s: %s", key, reasons[i].reason);
            return;
        }
    transfer_skip(python->report, "%s: it is not known", key);
}

enum err transfer_import_python(const struct json *document, int64_t now_at, struct batch *batch,
                                struct import_report *report, struct cause *cause)
{
    const char *server_topic = json_str(json_get(json_get(document, "topic"), "2server"));
    struct python python = {.now_at = now_at,
                            .server_topic = server_topic != NULL ? server_topic : "",
                            .seen = registry_new(),
                            .batch = batch,
                            .report = report,
                            .cause = cause};
    enum err result = python.seen != NULL ? ERR_OK : ERR_NO_MEMORY;
    const struct json *topic = json_get(document, "topic");
    if (result == ERR_OK && topic != NULL)
        result = add_topics(&python, topic);
    for (const struct json *member = json_first(document); result == ERR_OK && member != NULL;
         member = json_next(member)) {
        const char *key = json_name(member);
        if (strcmp(key, "device_pair_app2device") == 0)
            result = add_pairs(&python, member, visit_device_of_app);
        else if (strcmp(key, "device_pair_device2app") == 0)
            result = add_pairs(&python, member, visit_app_of_device);
        else if (strcmp(key, "topic") != 0)
            list_key(&python, key);
    }
    registry_free(python.seen);
    return result;
}
