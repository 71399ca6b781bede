/* Decimals, times and other small texts: a parsed value prints as text that parses again. */
#include "base/clock.h"
#include "base/dec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = str_n((const char *)data, size);
    struct dec value;
    struct dec again;
    char printed[DEC_TEXT_SIZE];
    if (dec_parse(text, &value)) {
        if (!dec_parse(str_c(dec_text(value, printed)), &again) || again.e8 != value.e8) {
            abort();
        }
    }
    int64_t at;
    int64_t at_again;
    if (clock_parse_iso(text, &at)) {
        AUTO_BUF struct buf iso = BUF_INIT(64);
        clock_add_iso(&iso, at, true);
        if (!clock_parse_iso(buf_str(&iso), &at_again) || at != at_again) {
            abort();
        }
    }
    if (str_is_utf8(text)) {
        (void)str_utf16_len(text);
    }
    return 0;
}
