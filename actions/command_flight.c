/* SPDX-License-Identifier: MIT
 *
 * The runtime side of commands on their way: who waits for the handover, which sending is the
 * valid one, by when the broker must have taken it. Nothing of this is kept.
 */
#include "actions/command_private.h"

#include <stdlib.h>
#include <string.h>

struct flight *flight_find(const struct actions *actions, const char *id)
{
    struct flight *flight = NULL;
    HASH_FIND_STR(actions->flights, id, flight);
    return flight;
}

struct flight *flight_get(struct actions *actions, const char *id)
{
    struct flight *flight = flight_find(actions, id);
    if (flight)
        return flight;
    flight = calloc(1, sizeof *flight);
    if (!flight)
        return NULL;
    text_set(flight->id, sizeof flight->id, id);
    flight->deadline = INT64_MAX;
    HASH_ADD_STR(actions->flights, id, flight);
    if (!flight->hh.tbl) {
        free(flight);
        return NULL;
    }
    return flight;
}

enum err flight_wait(struct flight *flight, struct ask *ask)
{
    if (!ask)
        return ERR_OK;
    if (flight->ask_count == COMMAND_ASKERS)
        return ERR_LIMIT;
    if (flight->ask_count == flight->ask_cap) {
        size_t cap = flight->ask_cap ? 2 * flight->ask_cap : 2;
        struct ask **asks = realloc(flight->asks, cap * sizeof(struct ask *));
        if (!asks)
            return ERR_NO_MEMORY;
        flight->asks = asks;
        flight->ask_cap = cap;
    }
    flight->asks[flight->ask_count++] = ask;
    return ERR_OK;
}

void flight_answer(struct actions *actions, struct flight *flight, enum err result)
{
    for (size_t i = 0; i < flight->ask_count; i++)
        ask_settle(actions, flight->asks[i], result);
    flight->ask_count = 0;
}

void flight_end(struct actions *actions, struct flight *flight, enum err result)
{
    if (!flight)
        return;
    HASH_DEL(actions->flights, flight);
    flight_answer(actions, flight, result);
    free(flight->asks);
    free(flight);
}

bool commands_wait(const struct actions *actions)
{
    for (const struct flight *flight = actions->flights; flight; flight = flight->hh.next)
        if (flight->published && !flight->taken)
            return true;
    return false;
}

void commands_stop(struct actions *actions)
{
    bool waited = commands_wait(actions);
    commands_free(actions);
    if (waited)
        actions->options.ports.drop_link(actions->options.ports.owner, "the server stops");
}

void commands_free(struct actions *actions)
{
    struct flight *next;
    for (struct flight *flight = actions->flights; flight; flight = next) {
        next = flight->hh.next;
        flight_end(actions, flight, ERR_STOPPING);
    }
}

void id_list_add(struct id_list *list, const char *id)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        void *ids = realloc(list->ids, cap * sizeof *list->ids);
        if (!ids)
            return;
        list->ids = ids;
        list->cap = cap;
    }
    text_set(list->ids[list->count++], SECRET_ID_SIZE, id);
}

void id_list_free(struct id_list *list)
{
    free(list->ids);
    *list = (struct id_list){0};
}
