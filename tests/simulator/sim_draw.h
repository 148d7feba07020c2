/* SPDX-License-Identifier: MIT
 *
 * The camera's eye: draws a door, a figure before it and the time, as a JPEG or as the raw frame
 * that the existing camera posts. Pure.
 */
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_WIDTH  640
#define FRAME_HEIGHT 480

/* A JPEG file; the caller frees it. NULL when out of memory. `number` moves the figure, so that no
 * two pictures of a run are the same. */
unsigned char *draw_jpeg(int64_t wall_ms, unsigned number, size_t *len);
/* The same as FRAME_WIDTH x FRAME_HEIGHT pixels of blue, green, red. */
unsigned char *draw_raw(int64_t wall_ms, unsigned number, size_t *len);

#endif
