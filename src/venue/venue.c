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

static struct str host_of(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? url : scheme + strlen("://");
    return str_n(host, strcspn(host, ":/"));
}

static bool is_at(const char *configured, const char *own)
{
    return own != NULL && configured[0] != '\0' && str_equal(host_of(configured), host_of(own));
}

/* A test system with real money at it, or the other way round, is a mistake in the file. Another
 * server may stand in for either. */
static int check_url(const struct real_venue_settings *real, const char *option, const char *url,
                     const char *of_venue, const char *of_sandbox, struct err *err)
{
    bool sandbox = real->mode == VENUE_SANDBOX;
    if (sandbox && is_at(url, of_venue) && !is_at(url, of_sandbox)) {
        return err_set(
            err, ERR_VENUE_MODE,
            "%s is the real venue's, and venue.mode is sandbox: orders there would be with "
            "real money",
            option);
    }
    if (!sandbox && is_at(url, of_sandbox) && !is_at(url, of_venue)) {
        return err_set(
            err, ERR_VENUE_MODE,
            "%s is the test system's: use venue.mode sandbox, since it does not tell what "
            "a key may do",
            option);
    }
    return 0;
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
    int rc = exchange_check_url("venue.url", real->url, err);
    rc = rc < 0 ? rc : exchange_check_url("venue.stream_url", real->stream_url, err);
    rc = rc < 0 ? rc : check_url(real, "venue.url", real->url, api->url, api->sandbox_url, err);
    if (rc >= 0) {
        rc = check_url(real, "venue.stream_url", real->stream_url, api->stream_url,
                       api->sandbox_stream_url, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (real->reserved_count > 0 && api->positions) {
        return err_set(err, ERR_VENUE_MODE, "%s holds contracts, no coins: venue.reserved",
                       api->name);
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
