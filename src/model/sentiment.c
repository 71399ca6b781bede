#include "model/sentiment.h"

size_t sentiment_values_size(int symbols)
{
    return offsetof(struct sentiment_values, values) +
           (size_t)symbols * sizeof(struct sentiment_value);
}

bool sentiment_value_is_sane(const struct sentiment_value *value)
{
    struct symbol parsed;
    return value->score >= -1 && value->score <= 1 &&
           symbol_parse(str_c(value->symbol.name), &parsed) && symbol_equal(parsed, value->symbol);
}
