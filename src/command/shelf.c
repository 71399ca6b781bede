#include "command/shelf.h"

#include "base/check.h"
#include "io/loop.h"

#include <stdlib.h>
#include <string.h>

struct place {
    struct shelf_picture picture;
    enum channel channel;
    int64_t caller;
    int64_t until_mono_us;
};

struct shelf {
    struct loop *loop;
    struct loop_source *timer; /* armed for the oldest */
    size_t count;
    size_t bytes;
    struct place places[SHELF_COUNT_MAX]; /* the oldest first */
};

static void remove_at(struct shelf *shelf, size_t index)
{
    shelf->bytes -= shelf->places[index].picture.size;
    free(shelf->places[index].picture.bytes);
    shelf->count--;
    memmove(&shelf->places[index], &shelf->places[index + 1],
            (shelf->count - index) * sizeof(shelf->places[0]));
}

static void expire(void *userdata)
{
    struct shelf *shelf = userdata;
    int64_t now_us = clock_mono_us(loop_clock(shelf->loop));
    while (shelf->count > 0 && shelf->places[0].until_mono_us <= now_us) {
        remove_at(shelf, 0);
    }
    if (shelf->count > 0) {
        loop_timer_at(shelf->timer, shelf->places[0].until_mono_us);
    } else {
        loop_timer_stop(shelf->timer);
    }
}

struct shelf *shelf_new(struct loop *loop)
{
    struct shelf *shelf = calloc(1, sizeof(*shelf));
    NEED_MEMORY(shelf != NULL);
    shelf->loop = loop;
    shelf->timer = loop_add_timer(loop, expire, shelf);
    loop_source_name(shelf->timer, "shelf");
    return shelf;
}

void shelf_free(struct shelf *shelf)
{
    if (shelf != NULL) {
        while (shelf->count > 0) {
            remove_at(shelf, shelf->count - 1);
        }
        loop_source_free(shelf->timer);
        free(shelf);
    }
}

void shelf_put(struct shelf *shelf, const struct principal *who,
               const struct shelf_picture *picture)
{
    const struct clock *clock = loop_clock(shelf->loop);
    ASSERT(picture->size <= SHELF_PICTURE_MAX);
    while (shelf->count == SHELF_COUNT_MAX || shelf->bytes + picture->size > SHELF_BYTES_MAX) {
        remove_at(shelf, 0);
    }
    struct place *place = &shelf->places[shelf->count++];
    *place = (struct place){.picture = *picture,
                            .channel = who->channel,
                            .caller = who->id,
                            .until_mono_us = clock_mono_us(clock) + SHELF_KEPT_US};
    place->picture.expires_us = clock_wall_us(clock) + SHELF_KEPT_US;
    shelf->bytes += picture->size;
    expire(shelf);
}

static bool is_of(const struct place *place, const struct principal *who)
{
    return place->channel == who->channel && place->caller == who->id;
}

const struct shelf_picture *shelf_find(const struct shelf *shelf, const struct principal *who,
                                       const char *id)
{
    int64_t now_us = clock_mono_us(loop_clock(shelf->loop));
    for (size_t i = 0; i < shelf->count; i++) {
        const struct place *place = &shelf->places[i];
        if (strcmp(place->picture.id, id) == 0) {
            return is_of(place, who) && now_us < place->until_mono_us ? &place->picture : NULL;
        }
    }
    return NULL;
}

void shelf_forget(struct shelf *shelf, const struct principal *who)
{
    for (size_t i = shelf->count; i > 0; i--) {
        if (is_of(&shelf->places[i - 1], who)) {
            remove_at(shelf, i - 1);
        }
    }
    expire(shelf);
}
