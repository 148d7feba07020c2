/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/picture_priv.h"
#include "tests/unit/state/pictures_made.h"

struct verdict {
    char type[16];
    int64_t width, height;
};

/* Judges a copy of exactly that size, so that the sanitizer sees a byte read behind it, and the
 * same bytes from a file, which must say the same. */
static enum err judge(const void *bytes, size_t len, struct verdict *verdict)
{
    struct verdict from_file = {"", 0, 0};
    memset(verdict, 0, sizeof *verdict);
    unsigned char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    enum err result = picture_judge(copy, len, verdict->type, &verdict->width, &verdict->height);
    free(copy);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fflush(file);
    assert_int_equal(picture_judge_file(fileno(file), (int64_t)len, from_file.type,
                                        &from_file.width, &from_file.height),
                     result);
    assert_memory_equal(&from_file, verdict, sizeof from_file);
    fclose(file);
    return result;
}

static void expect(const void *bytes, size_t len, const char *type, int64_t width, int64_t height)
{
    struct verdict verdict;
    assert_int_equal(judge(bytes, len, &verdict), ERR_OK);
    assert_string_equal(verdict.type, type);
    assert_int_equal(verdict.width, width);
    assert_int_equal(verdict.height, height);
}

static void refuse(const void *bytes, size_t len)
{
    struct verdict verdict;
    assert_int_equal(judge(bytes, len, &verdict), ERR_UNSUPPORTED);
}

#define REFUSE(text) refuse(text, sizeof(text) - 1)

static void a_jpeg_made_by_libjpeg_is_recognised(void **state)
{
    (void)state;
    size_t len;
    unsigned char *jpeg = made_jpeg(320, 17, 90, &len);
    expect(jpeg, len, "image/jpeg", 320, 17);
    free(jpeg);
}

static void a_png_is_recognised(void **state)
{
    (void)state;
    size_t len;
    unsigned char *png = made_png(65535, 1, &len);
    expect(png, len, "image/png", 65535, 1);
    expect(png, 33, "image/png", 65535, 1);
    refuse(png, 32);
    free(png);
}

static void png_sizes_outside_the_bounds_are_refused(void **state)
{
    (void)state;
    static const unsigned long sizes[][2] = {{0, 1},     {1, 0},          {65536, 1},
                                             {1, 65536}, {4294967295, 1}, {1, 2147483648}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t len;
        unsigned char *png = made_png(sizes[i][0], sizes[i][1], &len);
        refuse(png, len);
        free(png);
    }
}

static void a_png_that_starts_otherwise_is_refused(void **state)
{
    (void)state;
    size_t len;
    unsigned char *png = made_png(5, 5, &len);
    png[11] = 14;
    refuse(png, len);
    png[11] = 13;
    png[12] = 'i';
    refuse(png, len);
    free(png);
    REFUSE("\x89PNG\n\n\x1a\n");
    REFUSE("\x89PNG\r\n\x1a\n");
}

/* SOI, an application segment, fill bytes, a lone TEM, a table, then a baseline frame of 3 x 2. */
#define SOF0 "\xFF\xC0\x00\x0B\x08\x00\x02\x00\x03\x01\x01\x11\x00"

static void segments_and_fill_bytes_before_the_frame_header_are_passed_over(void **state)
{
    (void)state;
    static const char plain[] = "\xFF\xD8" SOF0;
    static const char full[] = "\xFF\xD8\xFF\xE0\x00\x04hi\xFF\xFF\xFF\xFF\x01\xFF\xC4\x00\x02"
                               "\xFF\xC8\x00\x03x\xFF\xCC\x00\x02\xFF\xFF" SOF0;
    expect(plain, sizeof plain - 1, "image/jpeg", 3, 2);
    expect(full, sizeof full - 1, "image/jpeg", 3, 2);
}

static void every_kind_of_frame_counts(void **state)
{
    (void)state;
    char bytes[] = "\xFF\xD8" SOF0;
    for (int marker = 0xC0; marker <= 0xCF; marker++) {
        bytes[3] = (char)marker;
        if (marker == 0xC4 || marker == 0xC8 || marker == 0xCC)
            refuse(bytes, sizeof bytes - 1);
        else
            expect(bytes, sizeof bytes - 1, "image/jpeg", 3, 2);
    }
}

static void jpeg_sizes_of_zero_are_refused_and_the_largest_taken(void **state)
{
    (void)state;
    REFUSE("\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x00\x00\x03\x01\x01\x11\x00");
    REFUSE("\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x02\x00\x00\x01\x01\x11\x00");
    static const char largest[] = "\xFF\xD8\xFF\xC0\x00\x0B\x08\xFF\xFF\xFF\xFF\x01\x01\x11\x00";
    expect(largest, sizeof largest - 1, "image/jpeg", 65535, 65535);
}

static void a_jpeg_cut_anywhere_before_its_frame_header_ends_is_refused(void **state)
{
    (void)state;
    static const char bytes[] = "\xFF\xD8\xFF\xE0\x00\x06\x01\x02\x03\x04\xFF" SOF0;
    for (size_t len = 0; len < sizeof bytes - 1; len++)
        refuse(bytes, len);
    expect(bytes, sizeof bytes - 1, "image/jpeg", 3, 2);
}

static void what_only_starts_like_a_jpeg_is_refused(void **state)
{
    (void)state;
    REFUSE("");
    REFUSE("hello");
    REFUSE("GIF89a\x01\x00\x01\x00");
    REFUSE("\xFF\xD8");
    REFUSE("\xFF\xD8\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    REFUSE("\xFF\xD8\x00" SOF0);                /* bytes between segments */
    REFUSE("\xFF\xD8\xFF\x00" SOF0);            /* a stuffed byte is no marker */
    REFUSE("\xFF\xD8\xFF\xD8" SOF0);            /* a second start */
    REFUSE("\xFF\xD8\xFF\xD9" SOF0);            /* the end */
    REFUSE("\xFF\xD8\xFF\xD0" SOF0);            /* a restart */
    REFUSE("\xFF\xD8\xFF\xDA\x00\x02" SOF0);    /* a scan without a frame */
    REFUSE("\xFF\xD8\xFF\xE0\x00\x01" SOF0);    /* a length that doesn't hold itself */
    REFUSE("\xFF\xD8\xFF\xE0\x00\x00" SOF0);    /* a length of none */
    REFUSE("\xFF\xD8\xFF\xE0\xFF\xFF" SOF0);    /* a length beyond the end */
    REFUSE("\xFF\xD8\xFF\xC0\x00\x02\xFF\xD9"); /* a frame header without sizes */
    REFUSE("\xFF\xD8\xFF\xC0\x00\x08\x08\x00\x02\x00\x03\x00");                 /* no component */
    REFUSE("\xFF\xD8\xFF\xC0\x00\x0C\x08\x00\x02\x00\x03\x01\x01\x11\x00\x00"); /* one byte more */
}

/* A frame header behind several windows of a file. */
static void a_frame_header_far_inside_a_file_is_found(void **state)
{
    (void)state;
    enum { SEGMENTS = 5, SEGMENT = 2 + 65535 };
    size_t len = 2 + (size_t)SEGMENTS * SEGMENT + sizeof SOF0 - 1;
    unsigned char *bytes = calloc(1, len);
    memcpy(bytes, "\xFF\xD8", 2);
    for (size_t i = 0; i < SEGMENTS; i++)
        memcpy(bytes + 2 + i * SEGMENT, "\xFF\xE2\xFF\xFF", 4);
    memcpy(bytes + len - (sizeof SOF0 - 1), SOF0, sizeof SOF0 - 1);
    expect(bytes, len, "image/jpeg", 3, 2);
    refuse(bytes, len - 1);
    free(bytes);
}

static void a_file_shorter_than_said_is_an_error_and_no_picture(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    struct verdict verdict;
    fwrite("\xFF\xD8\xFF\xE0\x00\x10", 1, 6, file);
    fflush(file);
    assert_int_equal(
        picture_judge_file(fileno(file), 4096, verdict.type, &verdict.width, &verdict.height),
        ERR_IO);
    fclose(file);
}

/* A small generator of its own, so that a failure comes again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void any_mutation_is_judged_within_its_bytes(void **state)
{
    (void)state;
    size_t lens[2];
    unsigned char *bases[2] = {made_jpeg(16, 16, 7, &lens[0]), made_png(16, 16, &lens[1])};
    uint32_t seed = 20260102;
    unsigned taken = 0;
    for (int round = 0; round < 200000; round++) {
        const unsigned which = next_random(&seed) % 2;
        size_t len =
            next_random(&seed) % 4 == 0 ? next_random(&seed) % (lens[which] + 1) : lens[which];
        unsigned char *bytes = malloc(len > 0 ? len : 1);
        memcpy(bytes, bases[which], len);
        for (unsigned i = next_random(&seed) % 6; i > 0 && len > 0; i--)
            bytes[next_random(&seed) % (i % 2 && len > 40 ? 40 : len)] =
                (unsigned char)(next_random(&seed) % 3 == 0 ? 0xFF : next_random(&seed));
        struct verdict verdict;
        if (picture_judge(bytes, len, verdict.type, &verdict.width, &verdict.height) == ERR_OK) {
            assert_in_range(verdict.width, 1, 65535);
            assert_in_range(verdict.height, 1, 65535);
            taken++;
        }
        free(bytes);
    }
    assert_in_range(taken, 1, 199999);
    free(bases[0]);
    free(bases[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jpeg_made_by_libjpeg_is_recognised),
        cmocka_unit_test(a_png_is_recognised),
        cmocka_unit_test(png_sizes_outside_the_bounds_are_refused),
        cmocka_unit_test(a_png_that_starts_otherwise_is_refused),
        cmocka_unit_test(segments_and_fill_bytes_before_the_frame_header_are_passed_over),
        cmocka_unit_test(every_kind_of_frame_counts),
        cmocka_unit_test(jpeg_sizes_of_zero_are_refused_and_the_largest_taken),
        cmocka_unit_test(a_jpeg_cut_anywhere_before_its_frame_header_ends_is_refused),
        cmocka_unit_test(what_only_starts_like_a_jpeg_is_refused),
        cmocka_unit_test(a_frame_header_far_inside_a_file_is_found),
        cmocka_unit_test(a_file_shorter_than_said_is_an_error_and_no_picture),
        cmocka_unit_test(any_mutation_is_judged_within_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
