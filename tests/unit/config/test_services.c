#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "config/config.h"
#include "rigs/config_rig.h"
#include "unit/unit.h"

#include <string.h>

static void checks_are_read(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c = config_rig_parse(
        "services:\n"
        "  web:\n"
        "    interval: 10s\n"
        "    alert_after: 5\n"
        "    start_grace: 2m\n"
        "    flapping_after: 4\n"
        "    checks:\n"
        "      api: {url: 'http://h/x', json_pointer: /a/b, json_value: 3, redirects: 2,\n"
        "            max_latency: 800ms, certificate_days: 14, body_has: yes, body_matches: '^a'}\n"
        "      port: {tcp: '[::1]:9000'}\n"
        "      queue: {command: [check, --max, '100']}\n"
        "      data: {file: /x, max_age: 15m, min_size: 10}\n"
        "      worker: {process: /run/x.pid}\n"
        "      job: {heartbeat: 1d, grace: 1h}\n"
        "      other: {unit: a.service}\n");
    const struct config_service *web = &c->services[0];
    assert_int_equal(web->check_count, 7);
    assert_int_equal(web->interval_us, 10 * USEC_PER_SEC);
    assert_int_equal(web->alert_after, 5);
    assert_int_equal(web->start_grace_us, 2 * USEC_PER_MIN);
    assert_int_equal(web->flapping_after, 4);
    assert_string_equal(web->checks[0].name, "api");
    assert_string_equal(web->checks[0].json_value, "3");
    assert_int_equal(web->checks[0].max_latency_us, 800 * USEC_PER_MSEC);
    assert_string_equal(web->checks[1].tcp, "[::1]:9000");
    assert_string_equal(web->checks[1].url, "");
    assert_int_equal(web->checks[2].command.count, 3);
    assert_null(web->checks[2].command.items[3]);
    assert_int_equal(web->checks[5].heartbeat_us, USEC_PER_DAY);
    assert_int_equal(web->checks[6].grace_us, 5 * USEC_PER_MIN); /* the default */

    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20), again = BUF_INIT((size_t)1 << 20);
    config_text(c, &text);
    assert_has(text.data, "      port: {tcp: \"[::1]:9000\"}\n");
    AUTO_CONFIG struct config *same = config_rig_parse(text.data);
    config_text(same, &again);
    assert_string_equal(again.data, text.data);
}

static void a_check_has_one_kind_and_only_its_fields(void **state)
{
    (void)state;
    static const struct {
        const char *check;
        enum err_id id;
        const char *what;
    } bad[] = {
        {"{}", ERR_CONFIG_MISSING, "found 0 of them"},
        {"{tcp: 'h:1', file: /x}", ERR_CONFIG_CONFLICT, "found 2 of them"},
        {"{tcp: 'h:1', max_age: 1m}", ERR_CONFIG_CONFLICT,
         "max_age: expected only with file; this check is of kind tcp"},
        {"{tcp: h}", ERR_CONFIG_TYPE, "tcp: expected HOST:PORT"},
        {"{tcp: 'h:0'}", ERR_CONFIG_TYPE, "tcp: expected HOST:PORT"},
        {"{tcp: 'a:b:1'}", ERR_CONFIG_TYPE, "tcp: expected HOST:PORT"},
        {"{file: x}", ERR_CONFIG_TYPE, "file: expected a path that starts with /"},
        {"{unit: 'a b'}", ERR_CONFIG_TYPE, "unit: expected the name of a unit"},
        {"{url: 'http://h', body_matches: '('}", ERR_CONFIG_TYPE, "body_matches: expected"},
        {"{url: 'http://h', body_matches: '(a)\\1'}", ERR_CONFIG_TYPE, "body_matches: expected"},
        {"{url: 'http://h', json_pointer: a}", ERR_CONFIG_TYPE, "which starts with /"},
        {"{url: 'http://h', json_value: a}", ERR_CONFIG_MISSING, "expected a json_pointer too"},
        {"{url: 'http://h', expect_status: 42}", ERR_CONFIG_RANGE, "expected 100 to 599"},
        {"{url: 'http://h', path: x}", ERR_CONFIG_TYPE, "path: expected a path that starts"},
        {"{command: ['']}", ERR_CONFIG_TYPE, "command: expected the name of a program"},
        {"{url: 'http://h', body_hsa: x}", ERR_CONFIG_UNKNOWN_KEY, "did you mean body_has?"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf yaml = BUF_INIT(1024);
        struct config *c = NULL;
        struct err err = {0};
        buf_addf(&yaml, "services: {web: {checks: {it: %s}}}", bad[i].check);
        assert_int_equal(config_parse(buf_str(&yaml), "t.yaml", &c, NULL, &err), -(int)bad[i].id);
        assert_has(err.context, "services.web.checks.it");
        assert_has(err.context, bad[i].what);
    }
    config_rig_problem("services: {web: {checks: {url: {tcp: 'h:1'}}}}", ERR_CONFIG_TYPE,
                       "t.yaml:1:27: services.web.checks.url: this is the name of one of the "
                       "service's own checks");
}

static void a_circle_of_dependencies_is_refused(void **state)
{
    (void)state;
    config_rig_problem("services:\n"
                       "  a: {url: 'http://h'}\n"
                       "  b: {url: 'http://h', depends_on: [a, d]}\n"
                       "  c: {url: 'http://h', depends_on: [b]}\n"
                       "  d: {url: 'http://h', depends_on: [c]}\n",
                       ERR_CONFIG_CONFLICT,
                       "t.yaml:3:36: services.b.depends_on: these services need each other in a "
                       "circle");
    AUTO_CONFIG struct config *c = config_rig_parse("services:\n"
                                                    "  a: {url: 'http://h', depends_on: [b, c]}\n"
                                                    "  b: {url: 'http://h', depends_on: [d]}\n"
                                                    "  c: {url: 'http://h', depends_on: [d]}\n"
                                                    "  d: {url: 'http://h'}\n");
    assert_int_equal(c->service_count, 4);
}

static void a_change_of_a_check_is_a_difference(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *before =
        config_rig_parse("services: {a: {checks: {x: {tcp: 'h:1'}, y: {file: /y}}}}");
    AUTO_CONFIG struct config *after =
        config_rig_parse("services: {a: {checks: {x: {tcp: 'h:2'}, z: {file: /z}}}}");
    struct config_diff diff;
    config_diff(before, after, &diff);
    assert_int_equal(diff.count, 3);
    assert_int_equal(diff.live, 3);
    assert_string_equal(diff.items[0].path, "services.a.checks.x.tcp");
    assert_string_equal(diff.items[0].after, "\"h:2\"");
    assert_string_equal(diff.items[1].path, "services.a.checks.y");
    assert_string_equal(diff.items[1].after, "none");
    assert_string_equal(diff.items[2].path, "services.a.checks.z");
}

static void a_template_has_two_colours(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *c = config_rig_parse(
        "services:\n"
        "  a: {unit: a@.service, release_root: /srv/a}\n"
        "  b: {unit: b@.service, release_root: /srv/b, release_colours: ['81', '82'],\n"
        "      url: 'http://127.0.0.1:%i', checks: {port: {tcp: '127.0.0.1:%i'}}}\n"
        "  c: {unit: c@1.service}\n");
    const struct config_service *a = &c->services[0], *b = &c->services[1],
                                *plain = &c->services[2];
    char unit[CONFIG_UNIT_SIZE];
    assert_true(config_has_colours(a) && config_has_colours(b) && !config_has_colours(plain));
    assert_string_equal(config_idle_colour(a, ""), "blue");
    assert_string_equal(config_idle_colour(a, "blue"), "green");
    assert_string_equal(config_idle_colour(a, "green"), "blue");
    assert_string_equal(config_idle_colour(a, "81"), "blue"); /* of another configuration */
    assert_string_equal(config_idle_colour(b, "81"), "82");
    config_unit_of(b, "82", unit);
    assert_string_equal(unit, "b@82.service");
    config_unit_of(b, "", unit);
    assert_string_equal(unit, "b@.service");
    config_unit_of(plain, "", unit);
    assert_string_equal(unit, "c@1.service");
    AUTO_BUF struct buf out = BUF_INIT(64);
    config_add_coloured("/x/%i/%%i", "82", &out);
    assert_string_equal(out.data, "/x/82/%82");

    config_rig_problem(
        "services: {a: {unit: a@.service}}", ERR_CONFIG_MISSING,
        "t.yaml:1:22: services.a.unit: a template is deployed blue/green and needs a "
        "release_root; without one, name an instance such as web@1.service");
    config_rig_problem("services: {a: {unit: a.service, release_colours: [x, y]}}",
                       ERR_CONFIG_CONFLICT,
                       "t.yaml:1:50: services.a.release_colours: expected a template as its unit, "
                       "such as web@.service");
    static const char *const bad[] = {"[x]", "[x, x]", "[x, releases]", "[x, 'a/b']", "[x, A]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf yaml = BUF_INIT(256);
        struct config *none = NULL;
        struct err err = {0};
        buf_addf(&yaml, "services: {a: {unit: a@.service, release_root: /r, release_colours: %s}}",
                 bad[i]);
        assert_int_equal(config_parse(buf_str(&yaml), "t.yaml", &none, NULL, &err),
                         -ERR_CONFIG_TYPE);
        assert_has(err.context, "expected two names such as blue and green");
    }
    config_rig_problem("services: {a: {unit: a@.service, release_root: /r, checks: {p: {tcp: "
                       "'h:%i'}}}}",
                       ERR_CONFIG_CONFLICT,
                       "t.yaml:1:60: services.a.checks.p.tcp: %i is a port only with a template "
                       "unit and release_colours that are ports");
}

UNIT_GROUP(config_services, cmocka_unit_test(checks_are_read),
           cmocka_unit_test(a_check_has_one_kind_and_only_its_fields),
           cmocka_unit_test(a_circle_of_dependencies_is_refused),
           cmocka_unit_test(a_template_has_two_colours),
           cmocka_unit_test(a_change_of_a_check_is_a_difference))
