/* Pictures in memory: for one caller, for a while, and not more than fit. */
#include "base/check.h"
#include "command/shelf.h"
#include "io/loop.h"
#include "unit/unit.h"

#include <string.h>

struct shelf_rig {
    struct clock_fake clock;
    struct loop *loop;
    struct shelf *shelf;
    struct principal alice; /* a session */
};

static int setup(void **state)
{
    struct shelf_rig *rig = calloc(1, sizeof(*rig));
    clock_fake_init(&rig->clock, INT64_C(1795000000000000));
    rig->loop = loop_new_fake(&rig->clock, NULL);
    assert_non_null(rig->loop);
    rig->shelf = shelf_new(rig->loop);
    rig->alice = (struct principal){.channel = CHANNEL_HTTP, .id = 7};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct shelf_rig *rig = *state;
    shelf_free(rig->shelf);
    loop_free(rig->loop);
    free(rig);
    return 0;
}

static void put(struct shelf_rig *rig, const struct principal *who, int number, size_t size)
{
    struct shelf_picture picture = {.media_type = "image/png", .bytes = malloc(size), .size = size};
    assert_non_null(picture.bytes);
    memset(picture.bytes, number, size);
    (void)snprintf(picture.id, sizeof(picture.id), "%d.png", number);
    shelf_put(rig->shelf, who, &picture);
}

static const struct shelf_picture *find(const struct shelf_rig *rig, int number)
{
    char id[ATTACHMENT_ID_SIZE];
    (void)snprintf(id, sizeof(id), "%d.png", number);
    return shelf_find(rig->shelf, &rig->alice, id);
}

static void only_its_caller_gets_a_picture(void **state)
{
    struct shelf_rig *rig = *state;
    const struct principal others[] = {{.channel = CHANNEL_HTTP, .id = 8},
                                       {.channel = CHANNEL_SOCKET, .id = 7}};
    put(rig, &rig->alice, 1, 100);
    const struct shelf_picture *found = find(rig, 1);
    assert_non_null(found);
    assert_int_equal(found->size, 100);
    assert_int_equal(found->bytes[99], 1);
    assert_int_equal(found->expires_us, clock_wall_us(&rig->clock.clock) + SHELF_KEPT_US);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_null(shelf_find(rig->shelf, &others[i], "1.png"));
    }
    assert_null(find(rig, 2));
}

static void a_picture_expires(void **state)
{
    struct shelf_rig *rig = *state;
    put(rig, &rig->alice, 1, 100);
    loop_advance(rig->loop, SHELF_KEPT_US / 2);
    put(rig, &rig->alice, 2, 100);
    assert_non_null(find(rig, 1));
    loop_advance(rig->loop, SHELF_KEPT_US / 2);
    assert_null(find(rig, 1));
    assert_non_null(find(rig, 2));
    loop_advance(rig->loop, SHELF_KEPT_US / 2);
    assert_null(find(rig, 2));
}

static void newer_pictures_take_the_place_of_older_ones(void **state)
{
    struct shelf_rig *rig = *state;
    for (int i = 0; i < SHELF_COUNT_MAX + 2; i++) {
        put(rig, &rig->alice, i, 10);
    }
    assert_null(find(rig, 1));
    assert_non_null(find(rig, 2));
    for (int i = 100; i < 104; i++) {
        put(rig, &rig->alice, i, SHELF_PICTURE_MAX);
    }
    assert_null(find(rig, SHELF_COUNT_MAX + 1)); /* their bytes alone fill it */
    assert_non_null(find(rig, 100));
    put(rig, &rig->alice, 104, 1);
    assert_null(find(rig, 100));
    assert_non_null(find(rig, 104));
}

static void the_end_of_a_session_drops_its_pictures(void **state)
{
    struct shelf_rig *rig = *state;
    const struct principal bob = {.channel = CHANNEL_HTTP, .id = 8};
    put(rig, &rig->alice, 1, 10);
    put(rig, &bob, 2, 10);
    put(rig, &rig->alice, 3, 10);
    shelf_forget(rig->shelf, &rig->alice);
    assert_null(find(rig, 1));
    assert_null(find(rig, 3));
    assert_non_null(shelf_find(rig->shelf, &bob, "2.png"));
}

#define SHELF_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
UNIT_GROUP(shelf, SHELF_TEST(only_its_caller_gets_a_picture), SHELF_TEST(a_picture_expires),
           SHELF_TEST(newer_pictures_take_the_place_of_older_ones),
           SHELF_TEST(the_end_of_a_session_drops_its_pictures))
