/* SPDX-License-Identifier: MIT */
#include "tests/unit/mqtt/mqtt_fake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/mqtt/mqtt_cmocka.h"

void mqf_fake_open(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->fd = -1;
    fake->listener = mqf_listen(0, &fake->port);
}

void mqf_fake_hang_up(struct fake *fake)
{
    if (fake->fd >= 0)
        close(fake->fd);
    fake->fd = -1;
    fake->len = 0;
}

void mqf_fake_close(struct fake *fake)
{
    mqf_fake_hang_up(fake);
    if (fake->listener >= 0)
        close(fake->listener);
    fake->listener = -1;
}

static bool try_accept(void *arg)
{
    struct fake *fake = arg;
    fake->fd = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fake->fd >= 0;
}

void mqf_fake_accept(struct fixture *f, struct fake *fake)
{
    mqf_fake_hang_up(fake);
    assert_true(mqf_until(f, try_accept, fake, 10000));
}

static bool ended;

static bool try_take(void *arg)
{
    struct fake *fake = arg;
    ssize_t got = recv(fake->fd, fake->in + fake->len, sizeof fake->in - fake->len, 0);
    if (got > 0)
        fake->len += (size_t)got;
    ended = got == 0 || (got < 0 && errno != EAGAIN);
    size_t length = 0, at = 1;
    for (int shift = 0; at < fake->len; shift += 7) {
        length |= (size_t)(fake->in[at] & 127) << shift;
        if ((fake->in[at++] & 128) == 0) {
            if (fake->len < at + length)
                break;
            memcpy(fake->packet, fake->in, at + length);
            fake->packet_len = at + length;
            fake->body = at;
            fake->len -= at + length;
            memmove(fake->in, fake->in + at + length, fake->len);
            ended = false;
            return true;
        }
    }
    return ended;
}

int mqf_fake_take(struct fixture *f, struct fake *fake, int ms)
{
    if (!mqf_until(f, try_take, fake, ms))
        return -1;
    return ended ? 0 : fake->packet[0] >> 4;
}

int mqf_fake_peek_bytes(struct fake *fake)
{
    char bytes[4096];
    ssize_t got = recv(fake->fd, bytes, sizeof bytes, MSG_PEEK);
    return (int)fake->len + (got > 0 ? (int)got : 0);
}

void mqf_fake_send(struct fake *fake, const void *bytes, size_t len)
{
    assert_int_equal(send(fake->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void mqf_fake_publish(struct fake *fake, const char *topic, const char *text, int qos, int mid)
{
    uint8_t packet[512];
    size_t topic_len = strlen(topic), text_len = strlen(text), at = 0;
    size_t rest = 2 + topic_len + (qos > 0 ? 2 : 0) + 1 + text_len;
    assert_true(rest < 128);
    packet[at++] = (uint8_t)(0x30 | qos << 1);
    packet[at++] = (uint8_t)rest;
    packet[at++] = 0;
    packet[at++] = (uint8_t)topic_len;
    memcpy(packet + at, topic, topic_len);
    at += topic_len;
    if (qos > 0) {
        packet[at++] = (uint8_t)(mid >> 8);
        packet[at++] = (uint8_t)mid;
    }
    packet[at++] = 0;
    memcpy(packet + at, text, text_len);
    mqf_fake_send(fake, packet, at + text_len);
}

void mqf_fake_answer_subscribe(struct fake *fake, int code)
{
    const uint8_t *p = fake->packet;
    size_t at = fake->body;
    uint8_t answer[1024] = {0x90, 0, p[at], p[at + 1], 0};
    size_t len = 5;
    at += 2 + 1 + p[at + 2];
    while (at < fake->packet_len) {
        at += 2 + (size_t)(p[at] << 8 | p[at + 1]) + 1;
        answer[len++] = (uint8_t)code;
    }
    assert_true(len < 129);
    answer[1] = (uint8_t)(len - 2);
    mqf_fake_send(fake, answer, len);
}

void mqf_fake_connack(struct fake *fake, int code)
{
    mqf_fake_send(fake, (uint8_t[]){0x20, 3, 0, (uint8_t)code, 0}, 5);
}

void mqf_fake_welcome(struct fixture *f, struct fake *fake, int ups)
{
    assert_int_equal(mqf_fake_take(f, fake, 5000), 1);
    mqf_fake_connack(fake, 0);
    while (f->ups < ups) {
        assert_int_equal(mqf_fake_take(f, fake, 5000), 8);
        mqf_fake_answer_subscribe(fake, 1);
        mqf_spin(f, 3);
    }
}
