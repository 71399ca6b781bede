/* What the replies of a command hold for programs. */
#include "command/manifest.h"

#include <string.h>

/* Of a prompt, and of a reply that could not be recorded. */
#define ASKED    "confirm stage expires_in_s run_id changed"
#define RECORDED "recorded record_error_code"

static bool has_word(struct str words, struct str word)
{
    struct str one;
    while (str_word(&words, &one)) {
        if (str_equal(one, word)) {
            return true;
        }
    }
    return false;
}

/* "snapshot" of "snapshot.age_ms positions" */
static bool has_member(struct str words, struct str member)
{
    struct str one, top;
    while (str_word(&words, &one)) {
        (void)str_split(&one, '.', &top);
        if (str_equal(top, member)) {
            return true;
        }
    }
    return false;
}

static void add_words(const char *words, struct buf *out)
{
    struct str rest = str_c(words), one;
    while (str_word(&rest, &one)) {
        if (!has_word(buf_str(out), one)) {
            buf_addf(out, "%s%.*s", out->len == 0 ? "" : " ", STR_ARG(one));
        }
    }
}

/* Rules may ask of some people, or for some arguments. */
static bool may_ask(const struct manifest *m)
{
    return m->changes || m->confirm || m->four_eyes || m->rule_count > 0 ||
           m->second_factor != MANIFEST_FACTOR_NO;
}

void manifest_data(const struct manifest *m, struct buf *out)
{
    for (int i = 0; i < manifest_step_total(m); i++) {
        const char *data = manifest_step_at(m, i)->action->data;
        if (data != NULL && strcmp(data, "*") == 0) {
            buf_clear(out);
            buf_add_c(out, "*");
            return;
        }
        add_words(data != NULL ? data : "", out);
    }
    add_words(may_ask(m) ? ASKED : "", out);
    add_words(m->changes ? RECORDED : "", out);
}

bool manifest_has_data(const struct manifest *m, struct str member)
{
    AUTO_BUF struct buf all = BUF_INIT(MANIFEST_DATA_MAX);
    manifest_data(m, &all);
    return strcmp(all.data, "*") == 0 || has_member(buf_str(&all), member);
}
