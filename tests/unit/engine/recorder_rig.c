#include "recorder_rig.h"

#include "base/check.h"
#include "base/log.h"
#include "rigs/driver_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define START_US INT64_C(1790000000000000)

static void silent(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

/* ---------------------------------------------------------------- an unreliable market */

static struct recorder_rig *of_source(const struct source *source)
{
    return (struct recorder_rig *)((uintptr_t)source - offsetof(struct recorder_rig, source));
}

static int64_t next_us(const struct source *source)
{
    return source_next_us(of_source(source)->inner_source);
}

static int next(struct source *source, struct source_bar ret[SYMBOLS_LIMIT])
{
    struct recorder_rig *f = of_source(source);
    int count = source_next(f->inner_source, ret);
    if (count > 0 && rng_chance(&f->rng, 0.05)) {
        struct candle *c = &ret[rng_below(&f->rng, (uint64_t)count)].candle;
        switch (rng_below(&f->rng, 4)) {
        case 0:
            c->high = DEC_INVALID;
            break;
        case 1:
            c->low = dec_neg(c->low);
            break;
        case 2:
            c->open_us -= USEC_PER_HOUR;
            break;
        default:
            c->open_us += USEC_PER_DAY;
            break;
        }
    }
    return rng_chance(&f->rng, 0.02) ? 0 : count;
}

static size_t save(const struct source *source, void *dst, size_t dst_size)
{
    return source_save(of_source(source)->inner_source, dst, dst_size);
}

static bool load(struct source *source, const void *bytes, size_t size)
{
    return source_load(of_source(source)->inner_source, bytes, size);
}

static const struct source_ops source_ops = {
    .name = "faulty", .next_us = next_us, .next = next, .save = save, .load = load};

static struct source *wrap_source(struct source *own, void *userdata)
{
    struct recorder_rig *f = userdata;
    f->inner_source = own;
    f->source = (struct source){&source_ops, own->step_us};
    return f->faulty ? &f->source : own;
}

/* ---------------------------------------------------------------- an unreliable venue */

static struct recorder_rig *of_venue(const struct venue *venue)
{
    return (struct recorder_rig *)((uintptr_t)venue - offsetof(struct recorder_rig, venue));
}

static bool lost(struct recorder_rig *f)
{
    return rng_chance(&f->rng, 0.05);
}

static void send(struct venue *venue, const struct order *order)
{
    struct recorder_rig *f = of_venue(venue);
    if (!lost(f)) {
        venue_send(f->inner_venue, order);
    }
}

static void cancel(struct venue *venue, const char *client_id)
{
    struct recorder_rig *f = of_venue(venue);
    if (!lost(f)) {
        venue_cancel(f->inner_venue, client_id);
    }
}

static void query(struct venue *venue, const struct venue_question *question)
{
    struct recorder_rig *f = of_venue(venue);
    if (!lost(f)) {
        venue_query(f->inner_venue, question);
    }
}

static void list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    struct recorder_rig *f = of_venue(venue);
    if (!lost(f)) {
        venue_list(f->inner_venue, ask_id, after_funding_id);
    }
}

static void amend(struct venue *venue, const char *client_id, struct dec stop, struct dec target)
{
    struct recorder_rig *f = of_venue(venue);
    if (!lost(f)) {
        venue_amend(f->inner_venue, client_id, stop, target);
    }
}

static bool quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    return venue_quote(of_venue(venue)->inner_venue, symbol, ret);
}

static bool poll(struct venue *venue, struct venue_report *ret)
{
    struct recorder_rig *f = of_venue(venue);
    if (f->holds && rng_chance(&f->rng, 0.3)) {
        *ret = f->held;
        f->holds = false;
        return true;
    }
    if (!venue_poll(f->inner_venue, ret)) {
        return false;
    }
    if (!f->holds && rng_chance(&f->rng, 0.1)) {
        f->held = *ret;
        f->holds = true;
    }
    return !lost(f);
}

static int venue_fd_of(const struct venue *venue)
{
    return venue_fd(of_venue(venue)->inner_venue);
}

static int64_t due_us(const struct venue *venue)
{
    return venue_due_us(of_venue(venue)->inner_venue);
}

static void set_leverage(struct venue *venue, double leverage)
{
    venue_set_leverage(of_venue(venue)->inner_venue, leverage);
}

static const struct venue_capabilities *capabilities(const struct venue *venue)
{
    return venue_capabilities(of_venue(venue)->inner_venue);
}

static const struct venue_ops venue_ops = {.capabilities = capabilities,
                                           .set_leverage = set_leverage,
                                           .fd = venue_fd_of,
                                           .due_us = due_us,
                                           .name = "faulty",
                                           .send = send,
                                           .cancel = cancel,
                                           .query = query,
                                           .list = list,
                                           .amend = amend,
                                           .quote = quote,
                                           .poll = poll};

static struct venue *wrap_venue(struct venue *own, void *userdata)
{
    struct recorder_rig *f = userdata;
    f->inner_venue = own;
    f->venue = (struct venue){&venue_ops};
    f->holds = false;
    return f->faulty ? &f->venue : own;
}

static int disk_fault(const char *what, void *userdata)
{
    struct recorder_rig *f = userdata;
    /* The history of a first start is thousands of rows. */
    bool history = strstr(what, "candles") != NULL;
    return !history && rng_chance(&f->rng, 0.003) ? -ERR_DB_FULL : 0;
}

/* ---------------------------------------------------------------- lifecycle */

void recorder_rig_start(struct recorder_rig *f)
{
    f->driver = driver_new(&(struct driver_options){.state_dir = f->folder,
                                                    .venue = driver_rig_venue,
                                                    .settings = f->settings,
                                                    .clock = &f->clock.clock,
                                                    .store = f->store,
                                                    .wrap_source = wrap_source,
                                                    .wrap_venue = wrap_venue,
                                                    .userdata = f},
                           &f->shared);
    recorder_rig_round(f, 0);
}

void recorder_rig_prepare(struct recorder_rig *f, const struct settings *settings, uint64_t seed)
{
    memset(f, 0, sizeof(*f));
    log_set_sink(silent, NULL);
    /* In memory if possible: the state file is synced to disk with each change. */
    (void)str_copy(access("/dev/shm", W_OK) == 0 ? STR_LIT("/dev/shm/nightdesk-recorder-XXXXXX")
                                                 : STR_LIT("/var/tmp/nightdesk-recorder-XXXXXX"),
                   f->folder, sizeof(f->folder));
    ASSERT(mkdtemp(f->folder) != NULL);
    clock_fake_init(&f->clock, START_US);
    shared_init(&f->shared, CAPACITY_MIN);
    shared_seal(&f->shared);
    rng_init(&f->rng, seed);
    f->faulty = seed != 0;
    f->next_request = 1;
    driver_rig_settings(&f->settings);
    if (settings != NULL) {
        f->settings = *settings;
    }
    struct err err = {0};
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &f->store, &err) >= 0);
    if (f->faulty) {
        trading_store_set_fault(f->store, disk_fault, f);
    }
}

void recorder_rig_open(struct recorder_rig *f, const struct settings *settings, uint64_t seed)
{
    recorder_rig_prepare(f, settings, seed);
    recorder_rig_start(f);
}

void recorder_rig_round(struct recorder_rig *f, int64_t advance_us)
{
    clock_fake_advance(&f->clock, advance_us);
    for (int i = 0; i < 64 && driver_round(f->driver) == 0; i++) {}
}

void recorder_rig_run(struct recorder_rig *f, int64_t minutes)
{
    for (int64_t i = 0; i < minutes; i++) {
        recorder_rig_round(f, USEC_PER_MIN / f->settings.market_speed);
    }
}

void recorder_rig_restart(struct recorder_rig *f)
{
    driver_free(f->driver);
    trading_store_rollback(f->store);
    recorder_rig_start(f);
}

void recorder_rig_ask(struct recorder_rig *f, const struct request *request)
{
    struct request r = *request;
    r.id = f->next_request++;
    (void)str_copy(STR_LIT("alice"), r.by, sizeof(r.by));
    ASSERT(ring_push(f->shared.requests, &r));
    recorder_rig_round(f, USEC_PER_MSEC);
}

const char *recorder_rig_path(const struct recorder_rig *f, const char *name, char dst[256])
{
    (void)snprintf(dst, 256, "%s/%s", f->folder, name);
    return dst;
}

static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e = NULL;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

void recorder_rig_close(struct recorder_rig *f)
{
    char path[256];
    driver_free(f->driver);
    trading_store_set_fault(f->store, NULL, NULL);
    trading_store_free(f->store);
    shared_release(&f->shared);
    empty_folder(recorder_rig_path(f, "journal", path));
    empty_folder(f->folder);
}
