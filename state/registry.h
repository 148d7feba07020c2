/* SPDX-License-Identifier: MIT
 *
 * What is, in memory: devices, apps, pairs, tokens, data, custom keys, the live commands and the
 * open alerts. Loop thread only. It changes by registry_apply() alone, which the turn calls for
 * each change it notes and the store for each row it loads; so memory and disk follow the same list
 * of changes. Found records are read-only and valid until the next change or reload: copy, change
 * the copy, hand it to turn_put().
 *
 * Not here: pictures and the log of the door (read through the query thread), ended commands older
 * than a minute.
 */
#ifndef STATE_REGISTRY_H
#define STATE_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"
#include "state/batch.h"
#include "state/records.h"

struct registry;

struct registry *registry_new(void); /* NULL when out of memory */
void registry_free(struct registry *registry);
/* Takes over one change; unknown keys on delete are fine; kinds that are not kept here are ignored.
 * ERR_NO_MEMORY leaves the registry as it was. */
enum err registry_apply(struct registry *registry, enum change_op op, enum record_kind kind,
                        const void *record);

const char *registry_meta(const struct registry *registry, const char *key); /* NULL: not set */
const struct device *registry_device(const struct registry *registry, const char *id);
const struct device *registry_device_by_topic(const struct registry *registry, const char *topic);
const struct app *registry_app(const struct registry *registry, const char *id);
const struct app *registry_app_by_topic(const struct registry *registry, const char *topic);
const struct pair *registry_pair(const struct registry *registry, const char *device_id,
                                 const char *app_id);
/* True when some pair names this app topic (the board was told to answer there). */
bool registry_pair_names_topic(const struct registry *registry, const char *app_topic);
const struct token *registry_token(const struct registry *registry, const char *hash);
const struct data_item *registry_data(const struct registry *registry, const char *key);
const struct custom *registry_custom(const struct registry *registry, const char *key);
const struct command *registry_command(const struct registry *registry, const char *id);
const struct alert *registry_alert(const struct registry *registry, const char *id);

/* Walks: all records of a kind in order of first appearance; `visit` returns false to stop. It must
 * not change the registry. Kinds: DEVICE, APP, PAIR, TOKEN, DATA, CUSTOM, COMMAND, ALERT. */
typedef bool registry_visit_fn(void *arg, const void *record);
void registry_each(const struct registry *registry, enum record_kind kind, registry_visit_fn *visit,
                   void *arg);
/* The pairs of one device / the live and lately ended commands of one device, newest first. */
void registry_each_pair_of_device(const struct registry *registry, const char *device_id,
                                  registry_visit_fn *visit, void *arg);
void registry_each_command_of_device(const struct registry *registry, const char *device_id,
                                     registry_visit_fn *visit, void *arg);
size_t registry_count(const struct registry *registry, enum record_kind kind);
/* Drops an ended command or a closed alert from memory; the store keeps it. */
void registry_forget(struct registry *registry, enum record_kind kind, const char *id);

#endif
