#include "base/address.h"
#include "base/check.h"
#include "unit/unit.h"

static void assert_address(const char *text, const char *expected)
{
    struct address a;
    AUTO_BUF struct buf out = BUF_INIT(64);
    assert_true(address_parse(str_c(text), &a));
    address_add(&out, &a);
    assert_string_equal(out.data, expected);
}

static void parses_addresses_of_both_versions(void **state)
{
    (void)state;
    assert_address("10.1.2.3", "10.1.2.3");
    assert_address("2001:DB8:0::1", "2001:db8::1");
    assert_address("::ffff:10.1.2.3", "10.1.2.3");
    static const char *const wrong[] = {"",          "10.1.2",       "10.1.2.256", "10.1.2.3:80",
                                        "10.1.2.3 ", "fe80::1%eth0", "[::1]",      "localhost"};
    struct address a;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(address_parse(str_c(wrong[i]), &a));
    }
    assert_false(address_parse(str_n("10.1.2.3\0", 9), &a));
}

static void takes_the_port_of_a_peer_away(void **state)
{
    (void)state;
    struct address a, b;
    assert_true(address_parse_peer(str_c("10.1.2.3:8080"), &a));
    assert_true(address_parse(str_c("10.1.2.3"), &b));
    assert_true(address_equal(&a, &b));
    assert_true(address_parse_peer(str_c("[2001:db8::1]:8080"), &a));
    assert_true(address_parse(str_c("2001:db8::1"), &b));
    assert_true(address_equal(&a, &b));
    assert_false(address_parse_peer(str_c("unix"), &a));
    assert_false(address_parse_peer(str_c("[]:1"), &a));
    assert_false(address_parse_peer(str_c(":1"), &a));
    assert_false(address_parse_peer(str_c(""), &a));
}

static void knows_the_addresses_of_this_machine(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } rows[] = {{"127.0.0.1", true},        {"127.8.0.1", true},  {"::1", true},
                {"::ffff:127.0.0.1", true}, {"128.0.0.1", false}, {"::2", false},
                {"0.0.0.0", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        assert_true(address_parse(str_c(rows[i].text), &a));
        assert_int_equal(address_is_loopback(&a), rows[i].loopback);
    }
}

static bool is_in(const char *network, const char *address)
{
    struct network n;
    struct address a;
    assert_true(network_parse(str_c(network), &n));
    assert_true(address_parse(str_c(address), &a));
    return network_has(&n, &a);
}

static void a_network_has_the_addresses_of_its_prefix(void **state)
{
    (void)state;
    assert_true(is_in("10.0.0.0/8", "10.255.1.2"));
    assert_false(is_in("10.0.0.0/8", "11.0.0.0"));
    assert_true(is_in("10.1.2.192/26", "10.1.2.255"));
    assert_false(is_in("10.1.2.192/26", "10.1.2.191"));
    assert_true(is_in("10.1.2.3", "10.1.2.3"));
    assert_false(is_in("10.1.2.3", "10.1.2.2"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(is_in("0.0.0.0/0", "8.8.8.8"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1")); /* all of IPv4 only */
    assert_true(is_in("::/0", "8.8.8.8"));
}

static void writes_a_network_as_its_prefix(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"10.1.2.3/8", "10.0.0.0/8"},
                                          {"10.1.2.3", "10.1.2.3"},
                                          {"10.1.2.3/32", "10.1.2.3"},
                                          {"2001:db8::7/32", "2001:db8::/32"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct network n;
        AUTO_BUF struct buf out = BUF_INIT(64);
        assert_true(network_parse(str_c(rows[i][0]), &n));
        network_add(&out, &n);
        assert_string_equal(out.data, rows[i][1]);
    }
    static const char *const wrong[] = {"",
                                        "/8",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/+8",
                                        "10.0.0.0/8/8",
                                        "::1/129",
                                        "10.0.0.0/x"};
    struct network n;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(network_parse(str_c(wrong[i]), &n));
    }
}

UNIT_GROUP(address, cmocka_unit_test(parses_addresses_of_both_versions),
           cmocka_unit_test(takes_the_port_of_a_peer_away),
           cmocka_unit_test(knows_the_addresses_of_this_machine),
           cmocka_unit_test(a_network_has_the_addresses_of_its_prefix),
           cmocka_unit_test(writes_a_network_as_its_prefix))
