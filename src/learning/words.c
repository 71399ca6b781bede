#include "words.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/log.h"
#include "config/config.h"
#include "io/embed.h"
#include "io/json.h"
#include "proof/text_proof.h"
#include "store/ops.h"

#include <string.h>

#define PROMPT     "prompts/reflection.md"
#define TOKENS     400
#define GIVEN      "learning_words_given"
#define REJECTED   "learning_words_rejected"
#define FENCE      "---\n"
#define OUTPUT_KEY "output: |\n"
#define USER_MAX   ((size_t)8 * 1024)

/* ------------------------------------------------------------------ the prompt */

/* The text behind the front matter, and the schema within it. */
static bool read_prompt(struct str *ret_text, struct json_object **ret_schema)
{
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (strcmp(f->path, PROMPT) != 0) {
            continue;
        }
        const char *output = strstr(f->data, OUTPUT_KEY);
        const char *end = output == NULL ? NULL : strstr(output, FENCE);
        if (end == NULL) {
            return false;
        }
        output += strlen(OUTPUT_KEY);
        *ret_text = str_c(end + strlen(FENCE));
        return json_parse(str_n(output, (size_t)(end - output)), &JSON_LIMITS_DEFAULT, ret_schema,
                          NULL) == 0;
    }
    return false;
}

static bool is_wanted(const struct learner *l, const struct reflection *r)
{
    const char *words = l->o.config->learning_words;
    return l->llm_client != NULL && l->words_request == NULL &&
           (strcmp(words, "all") == 0 || (strcmp(words, "losses") == 0 && r->pnl.e8 < 0));
}

/* ------------------------------------------------------------------ the answer */

static void count(struct learner *l, const char *name)
{
    int64_t times = 0;
    struct err err = {0};
    if (ops_store_get_i64(l->o.store, name, 0, &times, &err) < 0 ||
        ops_store_write_i64(l->o.store, name, times + 1, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not count the words about a trade");
    }
}

/* Whether every figure of the text is in the reflection; of a general one, whether it has none. */
static bool is_proven(struct json_object *reflection, const char *text, bool general)
{
    struct text_proof *proof = text_proof_new();
    text_proof_add(proof, "reflection", reflection);
    bool proven = text_proof_check(proof, str_c(text)) && proof->unverified == 0 &&
                  (!general || proof->count == 0);
    text_proof_free(proof);
    return proven;
}

static int keep_general(struct learner *l, const char *general, struct err *err)
{
    struct learning learning = {.outcome = LEARNING_OBSERVED,
                                .evidence_count = 1,
                                .evidence = {l->words_trade},
                                .created_us = clock_wall_us(l->o.clock)};
    if (!str_copy(str_c(general), learning.text, sizeof(learning.text))) {
        return 0; /* longer than one sentence is */
    }
    int64_t id = 0;
    bool is_new = false;
    bool room = false;
    int rc = learning_table_is_room(l->o.store, &room, err);
    return rc < 0 || !room ? rc : learning_table_merge(l->o.store, &learning, &id, &is_new, err);
}

static void take_words(struct learner *l, const char *answer)
{
    AUTO_JSON struct json_object *json = NULL;
    struct err err = {0};
    bool read = json_parse(str_c(answer), &JSON_LIMITS_DEFAULT, &json, &err) == 0;
    const char *words = read ? json_text(json, "words") : NULL;
    const char *general = read ? json_text(json, "general") : NULL;
    bool has_general = general != NULL && general[0] != '\0';
    if (words == NULL || words[0] == '\0' || strlen(words) >= REFLECTION_WORDS_SIZE ||
        !is_proven(l->words_data, words, false) ||
        (has_general && !is_proven(l->words_data, general, true))) {
        LOG(NOTICE, "the model's words about trade %lld are dropped: a figure is not proven",
            (long long)l->words_trade);
        count(l, REJECTED);
        return;
    }
    int rc = reflection_table_set_words(l->o.store, l->words_trade, words, &err);
    rc = rc < 0 || !has_general ? rc : keep_general(l, general, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not store the words about a trade");
        return;
    }
    count(l, GIVEN);
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct learner *l = userdata;
    l->words_request = NULL;
    if (answer->err.id == ERR_NONE) {
        take_words(l, answer->text);
    } else {
        log_err(LOG_LEVEL_INFO, &answer->err, "a trade stays without words");
    }
    json_object_put(TAKE(l->words_data));
}

/* ------------------------------------------------------------------ the request */

void words_ask(struct learner *l, const struct reflection *reflection)
{
    AUTO_JSON struct json_object *schema = NULL;
    AUTO_BUF struct buf user = BUF_INIT(USER_MAX);
    struct str text;
    struct err err = {0};
    if (!is_wanted(l, reflection) || !read_prompt(&text, &schema)) {
        return;
    }
    l->words_data = json_object_new_object();
    l->words_trade = reflection->trade_id;
    struct json_out out = JSON_OUT_TREE(l->words_data);
    learning_add_reflection(&out, reflection);
    buf_add_c(&user, "<untrusted_data>");
    json_add_text(&user, l->words_data);
    buf_add_c(&user, "</untrusted_data>\n");
    const struct llm_request request = {
        .system = text.ptr, .user = user.data, .schema = schema, .max_tokens = TOKENS};
    l->words_client = l->llm_client;
    if (l->words_client->ask(l->words_client->self, &request, on_answer, l, &l->words_request,
                             &err) < 0) {
        log_err(LOG_LEVEL_INFO, &err, "a trade stays without words");
        l->words_request = NULL;
        json_object_put(TAKE(l->words_data));
    }
}

void words_cancel(struct learner *l)
{
    if (l->words_request != NULL) {
        l->words_client->cancel(l->words_client->self, l->words_request);
        l->words_request = NULL;
    }
    json_object_put(TAKE(l->words_data));
}
