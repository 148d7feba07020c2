/* SPDX-License-Identifier: MIT
 *
 * Says whether bytes are a picture, and how large it is, without decoding it: a JPEG up to its
 * frame header, a PNG up to its IHDR. It reads nothing beyond those, allocates nothing for a size
 * that the bytes declare, and asks for no scan behind the frame header: whether the rest can be
 * shown is for the browser that shows it.
 *
 *   JPEG  FF D8, then segments  FF.. MARKER LENGTH(2) BODY  up to SOFn (ITU T.81 B.1.1, B.2.2):
 *         LENGTH(2) = 8 + 3 x components, PRECISION(1) HEIGHT(2) WIDTH(2) COMPONENTS(1) ...
 *   PNG   89 50 4E 47 0D 0A 1A 0A, then  LENGTH(4) = 13  "IHDR"  WIDTH(4) HEIGHT(4) ... CRC(4)
 *         (RFC 2083, 3.1 and 4.1.1)
 */
#include "state/picture_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES 65536
#define SIDE_MAX     65535

/* The bytes of a picture: all of them in memory, or a file seen through a window that moves. */
struct source {
    const unsigned char *window;
    size_t start, filled; /* the window shows the bytes from start to start + filled */
    size_t len;
    unsigned char *room; /* NULL: all is in memory */
    int fd;
    bool failed; /* the file could not be read */
};

/* The byte at that place, -1 behind the end or when it can't be read. */
static int byte_at(struct source *source, size_t at)
{
    if (at >= source->len)
        return -1;
    if (at < source->start || at - source->start >= source->filled) {
        if (source->room == NULL)
            return -1;
        ssize_t got = pread(source->fd, source->room, WINDOW_BYTES, (off_t)at);
        if (got <= 0) {
            source->failed = true;
            source->filled = 0;
            return -1;
        }
        source->start = at;
        source->filled = (size_t)got;
    }
    return source->window[at - source->start];
}

/* A big-endian number of `count` bytes, at most 4; -1 when one of them isn't there. */
static int64_t number_at(struct source *source, size_t at, size_t count)
{
    int64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        int byte = byte_at(source, at + i);
        if (byte < 0)
            return -1;
        number = number << 8 | byte;
    }
    return number;
}

static bool bytes_are(struct source *source, size_t at, const char *expected, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (byte_at(source, at + i) != (unsigned char)expected[i])
            return false;
    return true;
}

static bool side_is_valid(int64_t side)
{
    return side >= 1 && side <= SIDE_MAX;
}

/* C4 (tables), C8 (reserved) and CC (conditioning) lie in the range but start no frame. */
static bool is_frame_header(int marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* Markers that a picture can't have before its frame header: what has no length there (RSTn, a
 * second start, the end), a scan, and the code 00, which is no marker. */
static bool ends_the_search(int marker)
{
    return marker <= 0x00 || (marker >= 0xD0 && marker <= 0xDA);
}

static bool judge_jpeg(struct source *source, int64_t *width, int64_t *height)
{
    size_t at = 2;
    for (;;) {
        if (byte_at(source, at++) != 0xFF)
            return false;
        int marker;
        do
            marker = byte_at(source, at++);
        while (marker == 0xFF);
        if (ends_the_search(marker))
            return false;
        if (marker == 0x01)
            continue;
        int64_t length = number_at(source, at, 2);
        if (length < 2 || (size_t)length > source->len - at)
            return false;
        if (!is_frame_header(marker)) {
            at += (size_t)length;
            continue;
        }
        int components = length >= 8 ? byte_at(source, at + 7) : 0;
        *height = number_at(source, at + 3, 2);
        *width = number_at(source, at + 5, 2);
        return components >= 1 && length == 8 + 3 * components && side_is_valid(*width) &&
               side_is_valid(*height);
    }
}

static bool judge_png(struct source *source, int64_t *width, int64_t *height)
{
    enum { BEHIND_SIGNATURE = 8, HEADER_BYTES = 13, CHUNK_BYTES = 4 + 4 + HEADER_BYTES + 4 };
    if (source->len < BEHIND_SIGNATURE + CHUNK_BYTES ||
        number_at(source, BEHIND_SIGNATURE, 4) != HEADER_BYTES ||
        !bytes_are(source, BEHIND_SIGNATURE + 4, "IHDR", 4))
        return false;
    *width = number_at(source, BEHIND_SIGNATURE + 8, 4);
    *height = number_at(source, BEHIND_SIGNATURE + 12, 4);
    return side_is_valid(*width) && side_is_valid(*height);
}

static enum err judge(struct source *source, char type[static 16], int64_t *width, int64_t *height)
{
    int64_t w = 0, h = 0;
    const char *found = NULL;
    if (bytes_are(source, 0, "\xFF\xD8", 2)) {
        if (judge_jpeg(source, &w, &h))
            found = "image/jpeg";
    } else if (bytes_are(source, 0, "\x89PNG\r\n\x1A\n", 8)) {
        if (judge_png(source, &w, &h))
            found = "image/png";
    }
    if (source->failed)
        return ERR_IO;
    if (found == NULL)
        return ERR_UNSUPPORTED;
    text_copy(type, 16, found, strlen(found));
    *width = w;
    *height = h;
    return ERR_OK;
}

enum err picture_judge(const void *bytes, size_t len, char type[static 16], int64_t *width,
                       int64_t *height)
{
    struct source source = {.window = bytes, .filled = len, .len = len, .fd = -1};
    return judge(&source, type, width, height);
}

enum err picture_judge_file(int fd, int64_t len, char type[static 16], int64_t *width,
                            int64_t *height)
{
    unsigned char *room = malloc(WINDOW_BYTES);
    if (room == NULL)
        return ERR_NO_MEMORY;
    struct source source = {.window = room, .len = (size_t)len, .room = room, .fd = fd};
    enum err result = judge(&source, type, width, height);
    free(room);
    return result;
}
