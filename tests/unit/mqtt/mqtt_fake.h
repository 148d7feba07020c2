/* SPDX-License-Identifier: MIT
 *
 * A broker made of one socket, for the tests of the client: it sends what the test says.
 */
#ifndef TESTS_MQTT_FAKE_H
#define TESTS_MQTT_FAKE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/mqtt/mqtt_fixture.h"

struct fake {
    int listener, fd, port;
    uint8_t in[65536];
    size_t len;
    uint8_t packet[65536]; /* the last one taken, with its fixed header */
    size_t packet_len, body;
};
void mqf_fake_open(struct fake *fake);
void mqf_fake_close(struct fake *fake);
void mqf_fake_accept(struct fixture *f, struct fake *fake); /* waits for a connection */
void mqf_fake_hang_up(struct fake *fake);
/* Waits for a whole packet and takes it; returns its type (1 CONNECT, 3 PUBLISH ...), -1 when none
 * came, 0 at the end of the stream. */
int mqf_fake_take(struct fixture *f, struct fake *fake, int ms);
int mqf_fake_peek_bytes(struct fake *fake); /* how many bytes lie there that were not taken */
void mqf_fake_send(struct fake *fake, const void *bytes, size_t len);
void mqf_fake_publish(struct fake *fake, const char *topic, const char *text, int qos, int mid);
/* CONNECT and all SUBSCRIBEs are answered until the client is up `ups` times. */
void mqf_fake_welcome(struct fixture *f, struct fake *fake, int ups);
void mqf_fake_connack(struct fake *fake, int code);
void mqf_fake_answer_subscribe(struct fake *fake, int code);

#endif
