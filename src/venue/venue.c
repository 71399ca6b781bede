#include "venue/venue.h"

#include "base/check.h"
#include "connector.h"
#include "venue/account.h"
#include "venue/paper.h"

#include <stdlib.h>
#include <string.h>

static bool is_paper(const struct venue_settings *settings)
{
    return strcmp(settings->name, "paper") == 0;
}

bool venue_is_real(const struct venue_settings *settings)
{
    return !is_paper(settings);
}

int venue_check_settings(const struct venue_settings *settings, struct err *err)
{
    if (is_paper(settings)) {
        return 0;
    }
    const struct account_api *api = account_api_find(settings->name);
    if (api == NULL) {
        return err_set(err, ERR_VENUE_MODE, "venue.name: %s is not part of this build",
                       settings->name);
    }
    const struct real_venue_settings *real = &settings->real;
    if (real->key_id[0] == '\0' || real->key_secret[0] == '\0') {
        return err_set(err, ERR_VENUE_MODE, "%s: venue.key and venue.secret are empty", api->name);
    }
    if (real->mode == VENUE_SANDBOX && real->url[0] == '\0' && api->sandbox_url == NULL) {
        return err_set(err, ERR_VENUE_MODE, "%s has no test system: use dry_run", api->name);
    }
    const struct account_key key = {.id = str_c(real->key_id), .secret = str_c(real->key_secret)};
    return api->check_key(&key, err);
}

/* The only place that knows which venues there are. */
struct venue *venue_new(const struct venue_setup *setup)
{
    if (!is_paper(setup->settings)) {
        return connector_new(setup);
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
