#include "io/yaml.h"
#include "unit/unit.h"

#include <string.h>

static int parse(const char *text, struct yaml **ret, struct err *err)
{
    return yaml_parse(str_c(text), "t.yaml", ret, err);
}

static void refused(const char *text, enum err_id id, const char *where)
{
    struct yaml *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse(text, &doc, &err), -(int)id);
    assert_null(doc);
    if (strstr(err.context, where) == NULL) {
        fail_msg("'%s' lacks '%s'", err.context, where);
    }
}

static void the_tree_keeps_order_positions_and_quotes(void **state)
{
    (void)state;
    AUTO_YAML struct yaml *doc = NULL;
    struct err err = {0};
    assert_int_equal(parse("# comment\n"
                           "command: restart\n"
                           "confirm: \"true\"\n"
                           "args:\n"
                           "  - {name: service, required: yes}\n"
                           "  - plain\n"
                           "text: |\n"
                           "  two\n"
                           "  lines\n"
                           "nothing:\n",
                           &doc, &err),
                     0);
    const struct yaml_node *root = yaml_root(doc);
    assert_int_equal(root->kind, YAML_MAPPING);
    assert_int_equal(yaml_len(root), 5);
    assert_true(str_equal_c(yaml_text(yaml_key(root, 0)), "command"));
    assert_true(str_equal_c(yaml_text(yaml_value(root, 0)), "restart"));
    assert_int_equal(yaml_value(root, 0)->line, 2);
    assert_int_equal(yaml_value(root, 0)->column, 10);
    assert_false(yaml_get(root, "command")->quoted);
    assert_true(yaml_get(root, "confirm")->quoted);
    const struct yaml_node *args = yaml_get(root, "args");
    assert_int_equal(args->kind, YAML_SEQUENCE);
    assert_int_equal(yaml_len(args), 2);
    assert_true(str_equal_c(yaml_text(yaml_get(yaml_at(args, 0), "required")), "yes"));
    assert_true(str_equal_c(yaml_text(yaml_at(args, 1)), "plain"));
    assert_true(str_equal_c(yaml_text(yaml_get(root, "text")), "two\nlines\n"));
    assert_true(yaml_is_null(yaml_get(root, "nothing")));
    assert_false(yaml_is_null(yaml_get(root, "confirm")));
}

static void absent_paths_may_be_walked(void **state)
{
    (void)state;
    AUTO_YAML struct yaml *doc = NULL;
    assert_int_equal(parse("a: 1\n", &doc, NULL), 0);
    const struct yaml_node *root = yaml_root(doc);
    assert_null(yaml_get(yaml_get(yaml_get(root, "x"), "y"), "z"));
    assert_null(yaml_get(yaml_get(root, "a"), "b"));
    assert_null(yaml_at(root, 0));
    assert_null(yaml_key(root, 1));
    assert_null(yaml_value(NULL, 0));
    assert_int_equal(yaml_len(NULL), 0);
    assert_int_equal(yaml_text(NULL).len, 0);
    assert_true(yaml_is_null(NULL));
}

static void empty_documents_are_empty_mappings(void **state)
{
    (void)state;
    const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "null\n", "{}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        AUTO_YAML struct yaml *doc = NULL;
        assert_int_equal(parse(texts[i], &doc, NULL), 0);
        assert_int_equal(yaml_root(doc)->kind, YAML_MAPPING);
        assert_int_equal(yaml_len(yaml_root(doc)), 0);
    }
}

static void errors_name_the_position(void **state)
{
    (void)state;
    refused("a: 1\nb: [1, 2\nc: 3\n", ERR_YAML_SYNTAX, "t.yaml:3:");
    refused("a: 1\n\tb: 2\n", ERR_YAML_SYNTAX, "t.yaml:2:1");
    refused("a: \"x\n", ERR_YAML_SYNTAX, "t.yaml:");
    refused("a: 1\nb: \xff\n", ERR_YAML_SYNTAX, "t.yaml:2:4");
    refused("a: \x01\n", ERR_YAML_SYNTAX, "t.yaml:1:");
    refused("a: 1\nb: 2\na: 3\n", ERR_YAML_DUPLICATE, "t.yaml:3:1: a (first on line 1)");
    refused("x: {k: 1, k: 2}\n", ERR_YAML_DUPLICATE, "t.yaml:1:11");
}

static void unsupported_features_are_refused(void **state)
{
    (void)state;
    refused("a: &x 1\n", ERR_YAML_UNSUPPORTED, "t.yaml:1:4: anchor");
    refused("a: &x [1]\n", ERR_YAML_UNSUPPORTED, "t.yaml:1:4");
    refused("a: *x\n", ERR_YAML_UNSUPPORTED, "t.yaml:1:4: alias");
    refused("a: !!int 1\n", ERR_YAML_UNSUPPORTED, "tag");
    refused("a: !x {}\n", ERR_YAML_UNSUPPORTED, "tag");
    refused("a: 1\n---\nb: 2\n", ERR_YAML_UNSUPPORTED, "t.yaml:2:1");
    refused("? [1, 2]\n: x\n", ERR_YAML_UNSUPPORTED, "key");
    refused("a: \"\\0\"\n", ERR_YAML_UNSUPPORTED, "NUL");
}

static void limits_are_enforced(void **state)
{
    (void)state;
    AUTO_YAML struct yaml *doc = NULL;
    AUTO_BUF struct buf deep = BUF_INIT(1000);
    for (int i = 0; i < YAML_MAX_DEPTH - 1; i++) {
        buf_add_char(&deep, '[');
    }
    buf_add_char(&deep, 'x');
    for (int i = 0; i < YAML_MAX_DEPTH - 1; i++) {
        buf_add_char(&deep, ']');
    }
    assert_int_equal(parse(deep.data, &doc, NULL), 0);
    AUTO_BUF struct buf deeper = BUF_INIT(1000);
    buf_addf(&deeper, "[%s]", deep.data);
    refused(deeper.data, ERR_YAML_LIMIT, "t.yaml:1:33");

    AUTO_BUF struct buf wide = BUF_INIT(YAML_MAX_BYTES);
    for (int i = 0; i < YAML_MAX_NODES; i++) {
        buf_add_c(&wide, "- 1\n");
    }
    refused(wide.data, ERR_YAML_LIMIT, "t.yaml:50000:");

    AUTO_BUF struct buf large = BUF_INIT(2 * YAML_MAX_BYTES);
    while (large.len <= YAML_MAX_BYTES) {
        buf_add_c(&large, "# a long comment, again and again\n");
    }
    refused(large.data, ERR_YAML_LIMIT, "t.yaml");
}

static void missing_file_is_its_own_error(void **state)
{
    (void)state;
    struct yaml *doc = NULL;
    assert_int_equal(yaml_parse_file("/var/tmp/nightdesk-none.yaml", &doc, NULL),
                     -ERR_FILE_MISSING);
}

UNIT_GROUP(yaml, cmocka_unit_test(the_tree_keeps_order_positions_and_quotes),
           cmocka_unit_test(absent_paths_may_be_walked),
           cmocka_unit_test(empty_documents_are_empty_mappings),
           cmocka_unit_test(errors_name_the_position),
           cmocka_unit_test(unsupported_features_are_refused),
           cmocka_unit_test(limits_are_enforced), cmocka_unit_test(missing_file_is_its_own_error))
