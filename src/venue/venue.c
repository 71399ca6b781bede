#include "venue/venue.h"

#include "base/check.h"
#include "venue/paper.h"

#include <stdlib.h>
#include <string.h>

/* The only place that knows which venues there are. */
static bool is_paper(const struct venue_settings *settings)
{
    return strcmp(settings->name, "paper") == 0;
}

struct venue *venue_new(const struct venue_setup *setup)
{
    if (!is_paper(setup->settings)) {
        return NULL;
    }
    struct paper_settings settings = setup->settings->paper;
    settings.initial_cash = setup->cash;
    settings.max_leverage = setup->leverage;
    struct paper *paper = malloc(sizeof(*paper));
    ASSERT(paper != NULL);
    paper_init(paper, &settings, setup->step_us, setup->symbols);
    return &paper->venue;
}

const struct venue_import *venue_importer(const struct venue_settings *settings)
{
    return is_paper(settings) ? &paper_import : NULL;
}
