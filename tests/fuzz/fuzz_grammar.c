/* Questions in plain English: whatever is written, an answer has arguments that are JSON, what is
 * asked back has choices, and a proposal is one line. */
#include "assistant/grammar.h"
#include "base/check.h"
#include "io/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct grammar_context *c)
{
    static const char *const symbols[] = {"BTC-USD", "BTC-EUR", "ETH-USD", "SUN-USD"};
    *c = (struct grammar_context){.wall_us = INT64_C(1795000000000000),
                                  .market_us = INT64_C(1795000000000000),
                                  .zone_name = "UTC"};
    for (size_t i = 0; i < COUNT_OF(symbols); i++) {
        (void)symbol_parse(str_c(symbols[i]), &c->symbols[c->symbol_count++]);
    }
    c->services[c->service_count++] = "prediction";
    c->services[c->service_count++] = "trading";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grammar_context context;
    struct grammar_reading *r = grammar_reading_new();
    fill(&context);
    enum grammar_kind kind = grammar_read(&context, str_n((const char *)data, size), r);
    if (kind != r->kind || r->choice_count > GRAMMAR_CHOICES_MAX) {
        abort();
    }
    if (kind == GRAMMAR_ANSWER) {
        AUTO_JSON struct json_object *args = NULL;
        if (json_parse(str_c(r->args), &JSON_LIMITS_DEFAULT, &args, NULL) < 0 ||
            !json_is_object(args) || r->command[0] == '\0' || r->understood[0] == '\0') {
            abort();
        }
    } else if (kind == GRAMMAR_PROPOSAL) {
        if (r->line[0] != '/' || strchr(r->line, '\n') != NULL) {
            abort();
        }
    } else if (r->message[0] == '\0' || (kind == GRAMMAR_CLARIFY && r->choice_count == 0)) {
        abort();
    }
    if (!str_is_utf8(str_c(r->message)) || !str_is_utf8(str_c(r->understood))) {
        abort();
    }
    grammar_reading_free(r);
    return 0;
}
