/* SPDX-License-Identifier: MIT */
#include "tests/unit/mqtt/mqtt_stage.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/mqtt/mqtt_cmocka.h"

int stage_empty(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    if (s == NULL)
        return -1;
    s->fake.fd = s->fake.listener = -1;
    s->port = mqf_free_port();
    mqf_open(&s->f, s->port);
    mqf_log_keep();
    *state = s;
    return 0;
}

int stage_broker(void **state)
{
    int failed = stage_empty(state);
    if (!failed)
        stage_broker_start(*state, NULL);
    return failed;
}

int stage_up_on_broker(void **state)
{
    int failed = stage_broker(state);
    if (failed)
        return failed;
    struct stage *s = *state;
    mqf_start(&s->f);
    STAGE_UP(s, 1);
    return 0;
}

int stage_fake(void **state)
{
    int failed = stage_empty(state);
    if (failed)
        return failed;
    struct stage *s = *state;
    stage_fake_start(s);
    mqf_fake_accept(&s->f, &s->fake);
    return 0;
}

int stage_up_on_fake(void **state)
{
    int failed = stage_fake(state);
    if (failed)
        return failed;
    struct stage *s = *state;
    mqf_fake_welcome(&s->f, &s->fake, 1);
    return 0;
}

int stage_end(void **state)
{
    struct stage *s = *state;
    mqf_peer_close(&s->peer);
    mqf_fake_hang_up(&s->fake);
    mqf_close(&s->f);
    mqf_fake_close(&s->fake);
    stage_broker_kill(s);
    free(s);
    return 0;
}

void stage_broker_start(struct stage *s, const char *more_config)
{
    s->pid = mqf_broker_spawn(s->port, more_config);
}

void stage_broker_kill(struct stage *s)
{
    if (s->pid > 0)
        mqf_broker_kill(s->pid);
    s->pid = 0;
}

void stage_peer(struct stage *s, const char *topic)
{
    mqf_peer_open(&s->f, &s->peer, s->port, topic, 2);
}

void stage_fake_start(struct stage *s)
{
    mqf_close(&s->f);
    mqf_fake_close(&s->fake);
    mqf_fake_open(&s->fake);
    mqf_open(&s->f, s->fake.port);
    mqf_start(&s->f);
}

void stage_welcome(struct stage *s, int ups)
{
    mqf_fake_accept(&s->f, &s->fake);
    mqf_fake_welcome(&s->f, &s->fake, ups);
}

enum err stage_publish(struct stage *s, const char *topic, const char *text, int qos,
                       const char *tag)
{
    return mqtt_client_publish(s->f.client, topic, text, strlen(text), qos, false, 0, tag);
}
