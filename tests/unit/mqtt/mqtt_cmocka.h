/* SPDX-License-Identifier: MIT
 *
 * cmocka wants these before it. */
#ifndef TESTS_MQTT_CMOCKA_H
#define TESTS_MQTT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
