/* SPDX-License-Identifier: MIT
 *
 * The way out: `sent` is committed first, then all is checked once more and the word is published;
 * the broker's acknowledgement within a second is the handover. What is lost with a link ends,
 * unless its class is kept. Nothing is ever handed to a later link by the library.
 */
#include "actions/command_private.h"

#include <stdlib.h>
#include <string.h>

#include "actions/alert.h"
#include "server/base/log.h"

struct sending {
    char id[SECRET_ID_SIZE];
    uint64_t attempt;
};

void command_lost(struct actions *actions, const char *id, enum err told, const char *reason)
{
    struct flight *flight = flight_find(actions, id);
    const struct command *command = registry_command(actions_registry(actions), id);
    if (!command || command->state != COMMAND_SENT) {
        flight_end(actions, flight, told);
    } else if (!command_rule(command)->kept_when_away) {
        /* The broker delivers a QoS 2 message at PUBREL, which follows PUBREC (MQTT 5, 4.3.3): one
         * that it never took reaches nobody. */
        bool may_arrive = flight && flight->taken;
        command_end(actions, id, may_arrive ? COMMAND_UNKNOWN : COMMAND_EXPIRED, reason, told,
                    NULL);
    } else if (command_is_superseded(actions, command)) {
        bool may_arrive = flight && flight->taken;
        command_end(actions, id, may_arrive ? COMMAND_UNKNOWN : COMMAND_CANCELLED,
                    "a newer opposite command was made", told, NULL);
    } else {
        struct command kept = *command;
        kept.state = COMMAND_QUEUED;
        enum err err = command_put(actions, &kept);
        if (err != ERR_OK)
            actions->recover_again = true;
        flight_end(actions, flight, told);
    }
}

static void send_now(struct actions *actions, struct flight *flight, const struct command *command)
{
    const struct device *device = registry_device(actions_registry(actions), command->device_id);
    const struct ports *ports = &actions->options.ports;
    int64_t left = command_remaining(actions, command);
    if (left < 1000) {
        command_end(actions, command->id, COMMAND_EXPIRED,
                    "its time was over before it could be sent", ERR_EXPIRED, NULL);
    } else if (flight->stalls != actions->stalls || actions->stalled) {
        command_lost(actions, command->id, ERR_STALLED, err_message(ERR_STALLED));
    } else if (!actions_link_up(actions)) {
        command_lost(actions, command->id, ERR_NO_LINK, err_message(ERR_NO_LINK));
    } else if (!device || device->topic[0] == '\0') {
        command_end(actions, command->id, COMMAND_EXPIRED, "the device has no topic any more",
                    ERR_NO_DEVICE, NULL);
    } else {
        flight->published = true;
        flight->deadline = actions_boot(actions) + COMMAND_HANDOVER_MS;
        if (flight->deadline < actions->flight_due)
            actions->flight_due = flight->deadline;
        char id[SECRET_ID_SIZE];
        text_set(id, sizeof id, command->id);
        enum err err = ports->publish(ports->owner, device->topic, command->word, 2,
                                      (uint32_t)(left / 1000), id);
        if (err != ERR_OK)
            command_lost(actions, id, err, err_message(err));
    }
}

static void sending_out(struct actions *actions, void *arg, enum err kept)
{
    struct sending *sending = arg;
    struct flight *flight = flight_find(actions, sending->id);
    if (flight && flight->attempt == sending->attempt) {
        const struct command *command = registry_command(actions_registry(actions), sending->id);
        if (kept != ERR_OK)
            flight_end(actions, flight, kept);
        else if (command && command->state == COMMAND_SENT)
            send_now(actions, flight, command);
        else
            flight_end(actions, flight, ERR_EXPIRED);
    }
    free(sending);
}

void command_send(struct actions *actions, struct flight *flight)
{
    struct sending *sending = malloc(sizeof *sending);
    flight->attempt = ++actions->attempts;
    flight->stalls = actions->stalls;
    flight->published = flight->taken = false;
    flight->deadline = INT64_MAX;
    if (!sending) {
        command_lost(actions, flight->id, ERR_NO_MEMORY, err_message(ERR_NO_MEMORY));
        return;
    }
    text_set(sending->id, sizeof sending->id, flight->id);
    sending->attempt = flight->attempt;
    actions_later(actions, sending_out, sending);
}

/* A kept one: notes it as sent and publishes it after the commit. */
static void command_send_again(struct actions *actions, const char *id)
{
    const struct command *command = registry_command(actions_registry(actions), id);
    if (!command || command_state_is_end(command->state) || command_rule(command)->once)
        return;
    const struct device *device = registry_device(actions_registry(actions), command->device_id);
    if (command_is_over(actions, command)) {
        command_end_by_time(actions, id);
    } else if (command_is_superseded(actions, command)) {
        /* A delivered one did its work, or not; it goes on waiting for its answer. */
        if (command->state == COMMAND_QUEUED)
            command_end(actions, id, COMMAND_CANCELLED, "a newer opposite command was made",
                        ERR_CONFLICT, NULL);
    } else if (device && device->topic[0] != '\0' && device->presence != PRESENCE_AWAY) {
        struct command sent = *command;
        sent.state = COMMAND_SENT;
        sent.sent_at = actions_wall(actions);
        if (command_put(actions, &sent) != ERR_OK) {
            actions->resend_again = true;
            return;
        }
        struct flight *flight = flight_get(actions, sent.id);
        if (flight)
            command_send(actions, flight);
        else
            command_lost(actions, sent.id, ERR_NO_MEMORY, err_message(ERR_NO_MEMORY));
    }
}

static bool visit_kept(void *arg, const void *record)
{
    const struct command *command = record;
    if (command->state == COMMAND_QUEUED && !command_rule(command)->once)
        id_list_add(arg, command->id);
    return true;
}

void commands_send_kept(struct actions *actions)
{
    actions->resend_again = turn_ready(actions->turn) != ERR_OK;
    if (actions->resend_again)
        return;
    struct id_list kept = {0};
    registry_each(actions_registry(actions), REC_COMMAND, visit_kept, &kept);
    for (size_t i = 0; i < kept.count; i++)
        command_send_again(actions, kept.ids[i]);
    id_list_free(&kept);
}

void commands_handed_over(struct actions *actions, const char *command_id)
{
    struct flight *flight = flight_find(actions, command_id);
    const struct command *command = registry_command(actions_registry(actions), command_id);
    if (!flight || !flight->published)
        return;
    enum err err = ERR_NOT_KEPT;
    if (command && command->state == COMMAND_SENT) {
        struct command delivered = *command;
        delivered.state = COMMAND_DELIVERED;
        err = command_put_late(actions, &delivered);
    }
    flight_end(actions, flight, err);
}

void commands_taken(struct actions *actions, const char *command_id)
{
    struct flight *flight = flight_find(actions, command_id);
    if (!flight || !flight->published || flight->taken)
        return;
    flight->taken = true;
    /* PUBREL, with which the broker delivers, is still to leave: when it hasn't by the end of the
     * command's time, the link that holds it is ended, so that it never does. */
    const struct command *command = registry_command(actions_registry(actions), command_id);
    int64_t left = command ? command_remaining(actions, command) : 0;
    flight->deadline =
        actions_boot(actions) + (left < COMMAND_COMPLETE_MS ? left : COMMAND_COMPLETE_MS);
    if (flight->deadline < actions->flight_due)
        actions->flight_due = flight->deadline;
    flight_answer(actions, flight, ERR_OK);
}

void commands_rejected(struct actions *actions, const char *command_id)
{
    if (flight_find(actions, command_id))
        command_end(actions, command_id, COMMAND_REFUSED, "the broker refused it",
                    ERR_NOT_HANDED_OVER, NULL);
}

void commands_link_up(struct actions *actions)
{
    commands_send_kept(actions);
    alerts_recover(actions);
}

void commands_link_down(struct actions *actions)
{
    struct id_list ids = {0};
    for (struct flight *flight = actions->flights; flight; flight = flight->hh.next)
        id_list_add(&ids, flight->id);
    for (size_t i = 0; i < ids.count; i++)
        command_lost(actions, ids.ids[i], ERR_NO_LINK, "the connection to the broker was lost");
    id_list_free(&ids);
}

static bool visit_unanswered(void *arg, const void *record)
{
    const struct command *command = record;
    if (!command_rule(command)->once &&
        (command->state == COMMAND_QUEUED || command->state == COMMAND_DELIVERED))
        id_list_add(arg, command->id);
    return true;
}

void commands_device_back(struct actions *actions, const char *device_id)
{
    if (!actions_link_up(actions))
        return; /* queued ones go out with the link */
    struct id_list ids = {0};
    registry_each_command_of_device(actions_registry(actions), device_id, visit_unanswered, &ids);
    for (size_t i = 0; i < ids.count; i++)
        command_send_again(actions, ids.ids[i]);
    id_list_free(&ids);
}

void commands_stalled(struct actions *actions)
{
    actions->stalled = true;
    actions->stalls++;
}

void commands_awake(struct actions *actions)
{
    actions->stalled = false;
    if (actions_link_up(actions))
        commands_send_kept(actions);
}
