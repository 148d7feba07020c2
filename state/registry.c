/* SPDX-License-Identifier: MIT
 *
 * Tables by key and a few by other texts, on uthash. One shape of entry serves every kind: the
 * record table says where its keys are. It knows neither the batch it may come from nor the disk.
 *
 *   entries[kind]  key -> entry                    walks go in the order of first appearance
 *   topics[kind]   topic -> node -> entries        devices, apps; the latest claim comes first
 *   peers[kind]    device id -> node -> entries    pairs, commands; the newest comes first
 *   pair_topics    app topic -> node, counted
 *
 * Strangers choose ids, so the hash is keyed: nobody can make a bucket long.
 */
#include "state/registry.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

/* uthash lets chains grow to 10; with 6 a start with 100 000 devices takes a sixth less time for 4
 * MB more. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 6U

#include "state/key_hash.h"

struct node {
    UT_hash_handle hh;
    struct entry *first; /* linked by entry.prev, entry.next */
    size_t users;        /* entries linked here, or pairs counted */
    char key[];
};

struct entry {
    UT_hash_handle hh;
    struct entry *prev, *next; /* in node->first */
    struct node *node;         /* by topic or by device; NULL: none ("" isn't indexed) */
    struct node *counted;      /* pairs: of app_topic */
    _Alignas(int64_t) unsigned char record[]; /* a pair's key text follows it */
};

struct registry {
    struct key_hash_seed seed;
    struct entry *entries[REC_KINDS];
    struct node *nodes[REC_KINDS]; /* devices, apps: topics; pairs, commands: device ids */
    struct node *pair_topics;
};

#define PAIR_KEY_SIZE ((size_t)2 * NAME_SIZE)

static bool is_kept(enum record_kind kind)
{
    return kind != REC_PICTURE && kind != REC_DOOR_LOG;
}

struct registry *registry_new(void)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL)
        return NULL;
    key_hash_seed(&registry->seed);
    return registry;
}

static const char *text_at(const void *record, size_t offset)
{
    return (const char *)record + offset;
}

/* The key's bytes: the first column's text, or for a pair both ids with their NULs. */
static const char *key_of(enum record_kind kind, const void *record, char pair_key[PAIR_KEY_SIZE],
                          size_t *len)
{
    if (kind != REC_PAIR) {
        const char *key = text_at(record, record_types[kind].columns[0].offset);
        *len = strlen(key);
        return key;
    }
    const struct pair *pair = record;
    size_t device = strlen(pair->device_id) + 1, app = strlen(pair->app_id) + 1;
    memcpy(pair_key, pair->device_id, device);
    memcpy(pair_key + device, pair->app_id, app);
    *len = device + app;
    return pair_key;
}

/* The text that a record of this kind is also found by, "" when it is none. */
static const char *node_key_of(enum record_kind kind, const void *record)
{
    switch (kind) {
    case REC_DEVICE:
        return ((const struct device *)record)->topic;
    case REC_APP:
        return ((const struct app *)record)->topic;
    case REC_PAIR:
        return ((const struct pair *)record)->device_id;
    case REC_COMMAND:
        return ((const struct command *)record)->device_id;
    default:
        return "";
    }
}

static struct entry *find(const struct registry *registry, enum record_kind kind, const char *key,
                          size_t len)
{
    struct entry *entry = NULL;
    unsigned hash = key_hash(&registry->seed, key, len);
    HASH_FIND_BYHASHVALUE(hh, registry->entries[kind], key, (unsigned)len, hash, entry);
    return entry;
}

static const void *find_text(const struct registry *registry, enum record_kind kind,
                             const char *key)
{
    const struct entry *entry = find(registry, kind, key, strlen(key));
    return entry == NULL ? NULL : entry->record;
}

static struct node *node_find(const struct registry *registry, struct node *const *nodes,
                              const char *key)
{
    struct node *node = NULL;
    size_t len = strlen(key);
    unsigned hash = key_hash(&registry->seed, key, len);
    HASH_FIND_BYHASHVALUE(hh, *nodes, key, (unsigned)len, hash, node);
    return node;
}

/* Finds or makes; NULL when out of memory. One without users must be given to node_drop(). */
static struct node *node_get(struct registry *registry, struct node **nodes, const char *key)
{
    struct node *node = node_find(registry, nodes, key);
    if (node != NULL)
        return node;
    size_t len = strlen(key);
    node = calloc(1, sizeof(*node) + len + 1);
    if (node == NULL)
        return NULL;
    memcpy(node->key, key, len + 1);
    unsigned hash = key_hash(&registry->seed, key, len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, *nodes, node->key, len, hash, node);
    if (node->hh.tbl == NULL) {
        free(node);
        return NULL;
    }
    return node;
}

static void node_drop(struct node **nodes, struct node *node)
{
    if (node == NULL || node->users > 0)
        return;
    HASH_DELETE(hh, *nodes, node);
    free(node);
}

static void link_entry(struct node *node, struct entry *entry)
{
    entry->node = node;
    if (node == NULL)
        return;
    DL_PREPEND(node->first, entry);
    node->users++;
}

static void unlink_entry(struct node **nodes, struct entry *entry)
{
    struct node *node = entry->node;
    if (node == NULL)
        return;
    DL_DELETE(node->first, entry);
    node->users--;
    entry->node = NULL;
    node_drop(nodes, node);
}

static void count_topic(struct registry *registry, struct entry *entry, struct node *node)
{
    struct node *before = entry->counted;
    if (node != NULL)
        node->users++;
    entry->counted = node;
    if (before != NULL) {
        before->users--;
        node_drop(&registry->pair_topics, before);
    }
}

static int64_t seq_of(const struct entry *entry)
{
    return ((const struct data_item *)(const void *)entry->record)->seq;
}

static int by_seq(const struct entry *a, const struct entry *b)
{
    return (seq_of(a) > seq_of(b)) - (seq_of(a) < seq_of(b));
}

/* Behind all others, or for data in the place of its seq. */
static bool add_entry(struct registry *registry, enum record_kind kind, struct entry *entry,
                      const char *key, size_t len)
{
    struct entry **head = &registry->entries[kind];
    unsigned hash = key_hash(&registry->seed, key, len);
    bool in_order = kind == REC_DATA && *head != NULL &&
                    by_seq(ELMT_FROM_HH((*head)->hh.tbl, (*head)->hh.tbl->tail), entry) > 0;
    if (in_order)
        HASH_ADD_KEYPTR_BYHASHVALUE_INORDER(hh, *head, key, len, hash, entry, by_seq);
    else
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, *head, key, len, hash, entry);
    return entry->hh.tbl != NULL;
}

static void drop_entry(struct registry *registry, enum record_kind kind, struct entry *entry)
{
    HASH_DELETE(hh, registry->entries[kind], entry);
    unlink_entry(&registry->nodes[kind], entry);
    count_topic(registry, entry, NULL);
    record_clear(kind, entry->record);
    free(entry);
}

/* What the entry will hang on, found or made before anything is changed. */
struct places {
    struct node *node, *counted;
};

static void places_drop(struct registry *registry, enum record_kind kind, struct places *places)
{
    node_drop(&registry->nodes[kind], places->node);
    node_drop(&registry->pair_topics, places->counted);
}

static enum err places_find(struct registry *registry, enum record_kind kind, const void *record,
                            struct places *places)
{
    *places = (struct places){NULL, NULL};
    const char *key = node_key_of(kind, record);
    if (key[0] != '\0') {
        places->node = node_get(registry, &registry->nodes[kind], key);
        if (places->node == NULL)
            return ERR_NO_MEMORY;
    }
    if (kind != REC_PAIR || ((const struct pair *)record)->app_topic[0] == '\0')
        return ERR_OK;
    places->counted =
        node_get(registry, &registry->pair_topics, ((const struct pair *)record)->app_topic);
    if (places->counted == NULL) {
        places_drop(registry, kind, places);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err put_new(struct registry *registry, enum record_kind kind, const void *record,
                        const char *key, size_t key_len)
{
    size_t size = record_types[kind].size;
    size_t tail = kind == REC_PAIR ? key_len : 0;
    struct places places;
    struct entry *entry = calloc(1, sizeof(*entry) + size + tail);
    if (entry == NULL || !record_copy_into(kind, entry->record, record)) {
        free(entry);
        return ERR_NO_MEMORY;
    }
    enum err err = places_find(registry, kind, record, &places);
    if (err != ERR_OK)
        goto fail;
    const char *own_key = text_at(entry->record, record_types[kind].columns[0].offset);
    if (kind == REC_PAIR) {
        memcpy(entry->record + size, key, key_len);
        own_key = (const char *)entry->record + size;
    }
    if (!add_entry(registry, kind, entry, own_key, key_len)) {
        places_drop(registry, kind, &places);
        err = ERR_NO_MEMORY;
        goto fail;
    }
    link_entry(places.node, entry);
    count_topic(registry, entry, places.counted);
    return ERR_OK;
fail:
    record_clear(kind, entry->record);
    free(entry);
    return err;
}

static enum err put_over(struct registry *registry, enum record_kind kind, const void *record,
                         struct entry *entry)
{
    /* `record` may be the entry's own, or lie behind it. */
    void *copy = record_copy(kind, record);
    struct places places;
    if (copy == NULL)
        return ERR_NO_MEMORY;
    enum err err = places_find(registry, kind, copy, &places);
    if (err != ERR_OK) {
        record_free(kind, copy);
        return err;
    }
    if (places.node != entry->node) {
        unlink_entry(&registry->nodes[kind], entry);
        link_entry(places.node, entry);
    }
    if (places.counted != entry->counted)
        count_topic(registry, entry, places.counted);
    record_clear(kind, entry->record);
    memcpy(entry->record, copy, record_types[kind].size);
    free(copy);
    return ERR_OK;
}

enum err registry_apply(struct registry *registry, enum change_op op, enum record_kind kind,
                        const void *record)
{
    if (!is_kept(kind))
        return ERR_OK;
    char pair_key[PAIR_KEY_SIZE];
    size_t len;
    const char *key = key_of(kind, record, pair_key, &len);
    struct entry *entry = find(registry, kind, key, len);
    if (op == CHANGE_DELETE) {
        if (entry != NULL)
            drop_entry(registry, kind, entry);
        return ERR_OK;
    }
    if (entry == NULL)
        return put_new(registry, kind, record, key, len);
    bool moves = kind == REC_DATA && ((const struct data_item *)record)->seq != seq_of(entry);
    enum err err = put_over(registry, kind, record, entry);
    if (err == ERR_OK && moves)
        HASH_SRT(hh, registry->entries[kind], by_seq);
    return err;
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    for (int kind = 0; kind < REC_KINDS; kind++)
        while (registry->entries[kind] != NULL)
            drop_entry(registry, (enum record_kind)kind, registry->entries[kind]);
    free(registry);
}

const char *registry_meta(const struct registry *registry, const char *key)
{
    const struct meta *meta = find_text(registry, REC_META, key);
    return meta == NULL ? NULL : meta->value;
}

const struct device *registry_device(const struct registry *registry, const char *id)
{
    return find_text(registry, REC_DEVICE, id);
}

static const void *first_of(const struct registry *registry, enum record_kind kind, const char *key)
{
    const struct node *node = node_find(registry, &registry->nodes[kind], key);
    return node == NULL ? NULL : node->first->record;
}

const struct device *registry_device_by_topic(const struct registry *registry, const char *topic)
{
    return first_of(registry, REC_DEVICE, topic);
}

const struct app *registry_app(const struct registry *registry, const char *id)
{
    return find_text(registry, REC_APP, id);
}

const struct app *registry_app_by_topic(const struct registry *registry, const char *topic)
{
    return first_of(registry, REC_APP, topic);
}

const struct pair *registry_pair(const struct registry *registry, const char *device_id,
                                 const char *app_id)
{
    char key[PAIR_KEY_SIZE];
    size_t device = strlen(device_id) + 1, app = strlen(app_id) + 1;
    if (device > NAME_SIZE || app > NAME_SIZE)
        return NULL;
    memcpy(key, device_id, device);
    memcpy(key + device, app_id, app);
    const struct entry *entry = find(registry, REC_PAIR, key, device + app);
    return entry == NULL ? NULL : (const void *)entry->record;
}

bool registry_pair_names_topic(const struct registry *registry, const char *app_topic)
{
    return node_find(registry, &registry->pair_topics, app_topic) != NULL;
}

const struct token *registry_token(const struct registry *registry, const char *hash)
{
    return find_text(registry, REC_TOKEN, hash);
}

const struct data_item *registry_data(const struct registry *registry, const char *key)
{
    return find_text(registry, REC_DATA, key);
}

const struct custom *registry_custom(const struct registry *registry, const char *key)
{
    return find_text(registry, REC_CUSTOM, key);
}

const struct command *registry_command(const struct registry *registry, const char *id)
{
    return find_text(registry, REC_COMMAND, id);
}

const struct alert *registry_alert(const struct registry *registry, const char *id)
{
    return find_text(registry, REC_ALERT, id);
}

void registry_each(const struct registry *registry, enum record_kind kind, registry_visit_fn *visit,
                   void *arg)
{
    const struct entry *entry = registry->entries[kind];
    while (entry != NULL && visit(arg, entry->record))
        entry = entry->hh.next;
}

static void each_of_device(const struct registry *registry, enum record_kind kind,
                           const char *device_id, registry_visit_fn *visit, void *arg)
{
    const struct node *node = node_find(registry, &registry->nodes[kind], device_id);
    const struct entry *entry = node == NULL ? NULL : node->first;
    while (entry != NULL && visit(arg, entry->record))
        entry = entry->next;
}

void registry_each_pair_of_device(const struct registry *registry, const char *device_id,
                                  registry_visit_fn *visit, void *arg)
{
    each_of_device(registry, REC_PAIR, device_id, visit, arg);
}

void registry_each_command_of_device(const struct registry *registry, const char *device_id,
                                     registry_visit_fn *visit, void *arg)
{
    each_of_device(registry, REC_COMMAND, device_id, visit, arg);
}

size_t registry_count(const struct registry *registry, enum record_kind kind)
{
    return HASH_COUNT(registry->entries[kind]);
}

void registry_forget(struct registry *registry, enum record_kind kind, const char *id)
{
    if (kind != REC_COMMAND && kind != REC_ALERT)
        return;
    struct entry *entry = find(registry, kind, id, strlen(id));
    if (entry == NULL)
        return;
    if (kind == REC_COMMAND &&
        !command_state_is_end(((const struct command *)(const void *)entry->record)->state))
        return;
    drop_entry(registry, kind, entry);
}
