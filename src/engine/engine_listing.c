#include "engine_private.h"

#include <string.h>

/* Starts over with the pages of a newer call; those of an older one are dropped. */
static bool begin_page(struct engine_listing *l, const struct venue_report *page)
{
    if (page->ask_id > l->ask_id) {
        l->ask_id = page->ask_id;
        l->seen = 0;
        l->last_page = -1;
        l->too_long = false;
        l->holding_count = 0;
        l->open_count = 0;
    }
    return page->ask_id == l->ask_id && page->page >= 0 && page->page < VENUE_PAGES_MAX &&
           (l->seen & UINT64_C(1) << page->page) == 0;
}

static bool is_whole(const struct engine_listing *l)
{
    return l->last_page >= 0 && !l->too_long &&
           l->seen == (l->last_page == VENUE_PAGES_MAX - 1
                           ? UINT64_MAX
                           : (UINT64_C(1) << (l->last_page + 1)) - 1);
}

bool engine_listing_add(struct engine_listing *l, const struct venue_report *page)
{
    if (!begin_page(l, page)) {
        return false;
    }
    l->seen |= UINT64_C(1) << page->page;
    l->last_page = page->last ? page->page : l->last_page;
    for (int i = 0; i < page->holding_count && i < VENUE_PAGE_HOLDINGS; i++) {
        if (l->holding_count == ENGINE_LISTED_HOLDINGS) {
            l->too_long = true;
            break;
        }
        l->holdings[l->holding_count++] = page->holdings[i];
    }
    for (int i = 0; i < page->open_count && i < VENUE_PAGE_OPEN; i++) {
        if (l->open_count == ENGINE_LISTED_OPEN) {
            l->too_long = true;
            break;
        }
        memcpy(l->open[l->open_count++], page->open[i], CLIENT_ID_SIZE);
    }
    return is_whole(l);
}
