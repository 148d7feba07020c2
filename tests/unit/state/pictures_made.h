/* SPDX-License-Identifier: MIT
 *
 * Real pictures for tests: JPEGs by libjpeg, PNGs byte by byte.
 */
#ifndef TESTS_UNIT_STATE_PICTURES_MADE_H
#define TESTS_UNIT_STATE_PICTURES_MADE_H

#include <stddef.h>

/* A grey or coloured JPEG of that size; `shade` makes different ones. free() it. */
unsigned char *made_jpeg(unsigned width, unsigned height, unsigned char shade, size_t *len);
/* Signature, IHDR and IEND of a PNG of that size (33 + 12 bytes). free() it. */
unsigned char *made_png(unsigned long width, unsigned long height, size_t *len);

#endif
