/* SPDX-License-Identifier: MIT
 *
 * Payloads of the old dialect: whatever is split has only whole, non-empty words, and splitting it
 * again says the same.
 *
 * Sources: actions/words.c server/base/names.c server/base/utf8.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "actions/words.h"
#include "server/base/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const struct words *words)
{
    const char *end = words->rest[0] + strlen(words->rest[0]);
    assert(end > words->rest[0] && end[-1] != ' ');
    for (size_t i = 0; i < words->count; i++) {
        size_t len = strlen(words->word[i]);
        assert(len > 0 && !strchr(words->word[i], ' '));
        assert(text_is_utf8(words->word[i], len) && !text_has_control(words->word[i], len));
        assert(strncmp(words->rest[i], words->word[i], len) == 0);
        assert(words->rest[i][len] == ' ' || i + 1 == words->count);
        assert(words->rest[i] - words->rest[0] == words->word[i] - words->word[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct words words, again;
    memset(&words, 0xAA, sizeof words);
    if (words_split(data, size, &words)) {
        assert(words.count == 0);
        return 0;
    }
    assert(words.count > 0 && words.count <= WORDS_MAX && size <= WORDS_MAX_BYTES);
    check_words(&words);
    assert(words_split(words.rest[0], strlen(words.rest[0]), &again) == ERR_OK);
    assert(again.count == words.count);
    for (size_t i = 0; i < words.count; i++)
        assert(strcmp(again.word[i], words.word[i]) == 0);
    return 0;
}
