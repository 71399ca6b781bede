#include "base/crc32.h"
#include "unit/unit.h"

static void known_checksums_are_made(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(STR_LIT("")), 0);
    assert_int_equal(crc32_of(STR_LIT("123456789")), 0xcbf43926);
    assert_int_equal(crc32_of(STR_LIT("\xff\xff\xff\xff")), 0xffffffff);
}

UNIT_GROUP(crc32, cmocka_unit_test(known_checksums_are_made))
