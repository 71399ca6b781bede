/* Parsers and writers of bytes: json, yaml, chart, secret, log_file, file, journal. */
#include "base/log.h"
#include "io/chart.h"
#include "io/file.h"
#include "io/journal.h"
#include "io/json.h"
#include "io/log_file.h"
#include "io/secret.h"
#include "io/yaml.h"
#include "oom/oom.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void path_in(const struct oom *oom, const char *name, char path[256])
{
    (void)snprintf(path, 256, "%s/%s", oom->folder, name);
}

/* A buffer reports lack of memory by its flag; the module's caller makes an error of it. */
static int check_buf(const struct buf *b, struct err *err)
{
    return buf_failed(b) ? err_set(err, ERR_BUF_FULL, "out of memory") : 0;
}

/* ---- json ---- */

#define JSON_LONG                                                                                 \
    "{\"b\":[1,2.5,true,null,\"x\\u00e9\",{\"deep\":[[[0]]]}],\"a\":{\"k1\":1,\"k2\":2,"          \
    "\"k3\":3,\"k4\":4,\"k5\":5,\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,\"k10\":10,\"k11\":11,"       \
    "\"k12\":12,\"k13\":13,\"k14\":14,\"k15\":15,\"k16\":16,\"k17\":17},\"n\":-9007199254740993," \
    "\"text\":\"a string that is long enough to be allocated apart from its object\"}"

static int parse(struct oom *oom, struct err *err)
{
    (void)oom;
    AUTO_JSON struct json_object *tree = NULL;
    int rc = json_parse(str_c(JSON_LONG), &JSON_LIMITS_DEFAULT, &tree, err);
    if (rc < 0) {
        OOM_CHECK(tree == NULL);
        return rc;
    }
    OOM_CHECK(json_len(json_get(tree, "b")) == 6);
    OOM_CHECK(json_double(json_get(tree, "a"), "k17", 0) == 17);
    OOM_CHECK(json_i64(tree, "n", 0) == -9007199254740993);
    OOM_CHECK(strlen(json_text(tree, "text")) == 66);
    OOM_CHECK(json_i64(json_at(tree, "/b/5"), "deep", -1) == -1);
    OOM_CHECK(json_len(json_at(tree, "/b/5/deep/0/0")) == 1);
    return 0;
}
OOM_SCENARIO(json, parse, .run = parse)

static char expected[4096]; /* the canonical text */

static int prepare_tree(struct oom *oom, struct err *err)
{
    struct json_object *tree = NULL;
    int rc = json_parse(str_c(JSON_LONG), &JSON_LIMITS_DEFAULT, &tree, err);
    oom->self = tree;
    AUTO_BUF struct buf out = BUF_INIT(sizeof(expected) - 1);
    json_add_canonical(&out, tree);
    (void)str_copy(buf_str(&out), expected, sizeof(expected));
    return rc;
}

static void release_tree(struct oom *oom)
{
    (void)json_object_put(oom->self);
}

static int canonical(struct oom *oom, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    json_add_canonical(&out, oom->self);
    int rc = check_buf(&out, err);
    OOM_CHECK(rc < 0 || strcmp(out.data, expected) == 0);
    return rc;
}
OOM_SCENARIO(json, canonical, .prepare = prepare_tree, .run = canonical, .release = release_tree)

static int print(struct oom *oom, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    json_add_text(&out, oom->self);
    int rc = check_buf(&out, err);
    OOM_CHECK(rc < 0 || strstr(out.data, "\"k17\":17},\"n\":-9007199254740993,") != NULL);
    return rc;
}
OOM_SCENARIO(json, print, .prepare = prepare_tree, .run = print, .release = release_tree)

/* As the replies and the API build their trees: the results of json-c are not checked there. */
static int build(struct oom *oom, struct err *err)
{
    (void)oom;
    AUTO_JSON struct json_object *tree = json_object_new_object();
    struct json_object *list = json_object_new_array();
    json_object_object_add(tree, "list", list);
    for (int i = 0; i < 40; i++) {
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "id", json_object_new_int64(i));
        json_object_object_add(row, "share", json_object_new_double(0.5));
        json_object_object_add(row, "open", json_object_new_boolean(true));
        json_object_object_add(row, "text", json_object_new_string("BTC-USD is long"));
        json_object_object_add(row, "part", json_object_new_string_len("abcdef", 3));
        json_object_array_add(list, row);
    }
    AUTO_BUF struct buf out = BUF_INIT(8192);
    json_add_text(&out, tree);
    int rc = check_buf(&out, err);
    OOM_CHECK(rc < 0 || json_len(json_get(tree, "list")) == 40);
    for (size_t i = 0; rc == 0 && i < 40; i++) {
        const struct json_object *row = json_item(json_get(tree, "list"), i);
        OOM_CHECK(json_i64(row, "id", -1) == (int64_t)i);
        OOM_CHECK(json_double(row, "share", 0) == 0.5 && json_truth(row, "open", false));
        OOM_CHECK(strcmp(json_text(row, "text"), "BTC-USD is long") == 0);
        OOM_CHECK(strcmp(json_text(row, "part"), "abc") == 0);
    }
    return rc;
}
OOM_SCENARIO(json, build, .run = build)

/* ---- yaml ---- */

static const char manifest[] =
    "command: restart\n"
    "summary: 'Restart a service'\n"
    "args:\n"
    "  - {name: service, type: service, required: true, help: \"which\"}\n"
    "  - {name: note, type: text}\n"
    "steps:\n"
    "  - {run: service.restart, with: {service: $service}, retries: 1}\n"
    "text: |\n"
    "  two\n"
    "  lines\n"
    "empty:\n";

static int parse_yaml(struct oom *oom, struct err *err)
{
    (void)oom;
    AUTO_YAML struct yaml *doc = NULL;
    int rc = yaml_parse(str_c(manifest), "restart.yaml", &doc, err);
    if (rc < 0) {
        OOM_CHECK(doc == NULL);
        return rc;
    }
    const struct yaml_node *root = yaml_root(doc);
    OOM_CHECK(yaml_len(root) == 6);
    OOM_CHECK(str_equal_c(yaml_text(yaml_get(root, "text")), "two\nlines\n"));
    OOM_CHECK(yaml_is_null(yaml_get(root, "empty")));
    const struct yaml_node *first = yaml_at(yaml_get(root, "args"), 0);
    OOM_CHECK(yaml_len(first) == 4 && str_equal_c(yaml_text(yaml_get(first, "help")), "which"));
    return 0;
}
OOM_SCENARIO(yaml, parse, .run = parse_yaml)

static int refuse_yaml(struct oom *oom, struct err *err)
{
    (void)oom;
    AUTO_YAML struct yaml *doc = NULL;
    struct err why = {0};
    int rc = yaml_parse(str_c("a: [1, 2\nb: {c: d}\n"), "bad.yaml", &doc, &why);
    OOM_CHECK(rc < 0 && doc == NULL);
    /* Without memory it may say so instead. */
    OOM_CHECK((int)why.id == -rc);
    (void)err;
    return 0;
}
OOM_SCENARIO(yaml, refuse, .run = refuse_yaml)

/* ---- chart ---- */

static int draw(struct oom *oom, struct err *err)
{
    (void)oom;
    static int64_t times[60];
    static double values[60], lower[60];
    for (int i = 0; i < 60; i++) {
        times[i] = INT64_C(1795000000000000) + i * INT64_C(3600000000);
        values[i] = 100 + sin(i / 5.0);
        lower[i] = -i;
    }
    const struct chart_mark mark = {
        .at_us = times[30], .value = 100, .shape = CHART_UP, .colour = CHART_GREEN};
    const struct chart chart = {
        .title = "Back-test",
        .subtitle = "two\nlines",
        .width = 400,
        .height = 300,
        .count = 60,
        .at_us = times,
        .panel_count = 2,
        .panels = {{.title = "equity",
                    .weight = 2,
                    .line_count = 1,
                    .lines = {{.name = "equity", .values = values}},
                    .mark_count = 1,
                    .marks = &mark},
                   {.title = "drawdown",
                    .unit = " %",
                    .weight = 1,
                    .from_zero = true,
                    .line_count = 1,
                    .lines = {{.filled = true, .colour = CHART_RED, .values = lower}}}}};
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    int rc = chart_png(&chart, &png, err);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(png.len > 2000 && memcmp(png.data, "\x89PNG\r\n\x1a\n", 8) == 0);
    OOM_CHECK(memcmp(png.data + png.len - 8, "IEND\xae\x42\x60\x82", 8) == 0);
    return 0;
}

/* cairo 1.16 jumps (longjmp) to a place that it has not set yet when a stroke gets no memory. */
OOM_SCENARIO(chart, draw, .libraries = {"libcairo"}, .run = draw)

/* ---- file ---- */

static int prepare_file(struct oom *oom, struct err *err)
{
    char path[256];
    path_in(oom, "settings", path);
    return file_write(path, str_c("old"), 0640, err);
}

static int read_and_write(struct oom *oom, struct err *err)
{
    char path[256];
    path_in(oom, "settings", path);
    AUTO_BUF struct buf text = BUF_INIT(1000);
    int rc = file_read(path, &text, err);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(strcmp(text.data, "old") == 0);
    return file_write(path, str_c("the new text"), 0640, err);
}

/* The old text or the new one, and no other file. */
static const char *verify_file(struct oom *oom)
{
    char path[256], text[32] = "";
    path_in(oom, "settings", path);
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        return "the file is gone";
    }
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    (void)fclose(in);
    bool is_new = strcmp(text, "the new text") == 0;
    if (strcmp(oom->outcome, "done") == 0 && !is_new) {
        return "written, but the old text is there";
    }
    return is_new || strcmp(text, "old") == 0 ? NULL : "neither the old text nor the new one";
}
OOM_SCENARIO(file, write, .prepare = prepare_file, .run = read_and_write, .verify = verify_file)

/* ---- secret ---- */

static int keep_secrets(struct oom *oom, struct err *err)
{
    int rc = secret_init(err);
    if (rc < 0) {
        return rc;
    }
    char path[256], hex[SECRET_HASH_HEX_SIZE];
    path_in(oom, "key", path);
    struct secret_key key, again;
    if ((rc = secret_key_load(path, &key, err)) < 0 ||
        (rc = secret_key_load(path, &again, err)) < 0) {
        return rc;
    }
    OOM_CHECK(memcmp(&key, &again, sizeof(key)) == 0);
    AUTO_SECRET struct secret *token = secret_new(str_c("a token"));
    OOM_CHECK(strcmp(secret_text(token), "a token") == 0);
    secret_hash(&key, str_c("text"), hex);
    OOM_CHECK(strlen(hex) == SECRET_HASH_HEX_SIZE - 1);
    return 0;
}
OOM_SCENARIO(secret, keep, .run = keep_secrets)

/* ---- log_file and journal ---- */

static int log_to_a_file(struct oom *oom, struct err *err)
{
    char path[256];
    path_in(oom, "nightdesk.log", path);
    struct log_file *file = NULL;
    const struct log_file_limits limits = {.max_bytes = 200, .keep = 2};
    int rc = log_file_open(path, &limits, &file, err);
    if (rc < 0) {
        OOM_CHECK(file == NULL);
        return rc;
    }
    log_set_sink(log_sink_fd, log_file_userdata(file));
    for (int i = 0; i < 8; i++) {
        LOG(NOTICE, "line %d of the log", i);
        log_file_check(file);
    }
    log_set_sink(NULL, NULL);
    log_file_free(file);
    return 0;
}

static const char *verify_log(struct oom *oom)
{
    char path[256];
    path_in(oom, "nightdesk.log.1", path);
    return strcmp(oom->outcome, "done") != 0 || access(path, F_OK) == 0 ? NULL : "not rotated";
}
OOM_SCENARIO(log_file, rotate, .run = log_to_a_file, .verify = verify_log)

/* A machine without a journal reports that; one with a journal returns lines. */
static int tail(struct oom *oom, struct err *err)
{
    (void)oom;
    (void)err;
    AUTO_BUF struct buf out = BUF_INIT((size_t)1 << 20);
    struct err why = {0};
    int rc = journal_read(&(struct journal_query){.lines = 20}, &out, &why);
    OOM_CHECK(rc <= 0 && (rc == 0 || (int)why.id == -rc));
    return 0;
}
OOM_SCENARIO(journal, tail, .run = tail)
