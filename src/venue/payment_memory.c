#include "payment_memory.h"

#include "base/check.h"
#include "base/log.h"
#include "store/venue_table.h"

#include <stdlib.h>
#include <string.h>

/* A payment may be posted so much later than its time, or be corrected. */
#define LATE_US (4 * USEC_PER_DAY)
/* What is kept of those that were booked. */
#define KEPT_US (30 * USEC_PER_DAY)
#define BEGAN   "fees_since"   /* in venue_state: when the first listing came, wall time */
#define FORCED  "forced_since" /* the same: when one was first asked for */

struct listed {
    char id[FILL_ID_SIZE];
    int64_t number;
    enum venue_event event;
    struct symbol symbol;
    enum side side;
    struct dec qty, price;
    struct dec payment;
    char fee_currency[CURRENCY_SIZE];
    int64_t at_us;
    int place; /* in the listing */
};

struct payment_memory {
    struct trading_store *store;
    int64_t began_us;  /* 0: no listing has come yet */
    int64_t forced_us; /* 0: none was asked for yet */
    int64_t newest_us;
    int64_t last; /* the highest number given */
    int64_t reported;
    int known_count;
    int known_next; /* after the one that was looked for last */
    int known_room;
    struct venue_event_row *known;
    int listed_count;
    int listed_room;
    struct listed *listed; /* of the listing that is coming in; then those to report */
    int next;              /* of them; listed_count: none is left */
    int told_count;
    int told_room;
    struct listed *told; /* that not every listing repeats, until the books have them */
    bool closed;
    bool began; /* a listing has been closed since it was opened */
};

struct payment_memory *payment_memory_new(void)
{
    struct payment_memory *m = calloc(1, sizeof(*m));
    NEED_MEMORY(m != NULL);
    return m;
}

void payment_memory_free(struct payment_memory *m)
{
    if (m != NULL) {
        free(m->known);
        free(m->listed);
        free(m->told);
        free(m);
    }
}

static void *grown(void *list, int count, int *room, size_t size)
{
    if (count == *room) {
        *room = *room == 0 ? 16 : 2 * *room;
        list = realloc(list, (size_t)*room * size);
        NEED_MEMORY(list != NULL);
    }
    return list;
}

static void know(const struct venue_event_row *row, void *userdata)
{
    struct payment_memory *m = userdata;
    m->known = grown(m->known, m->known_count, &m->known_room, sizeof(m->known[0]));
    m->known[m->known_count++] = *row;
    m->last = row->number > m->last ? row->number : m->last;
    m->newest_us = row->at_us > m->newest_us ? row->at_us : m->newest_us;
}

static int load_time(const struct payment_memory *m, const char *name, int64_t *ret_us,
                     struct err *err)
{
    char text[24] = "";
    int rc = m->store == NULL ? 0 : venue_table_get(m->store, name, text, sizeof(text), err);
    if (rc >= 0 && text[0] != '\0' && !str_to_i64(str_c(text), ret_us)) {
        return err_set(err, ERR_STORE_DAMAGED, "venue_state %s", name);
    }
    return rc;
}

/* What could not be kept is not begun. */
static void keep_time(struct payment_memory *m, const char *name, int64_t now_us, int64_t *ret_us)
{
    struct err err = {0};
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)now_us);
    if (m->store != NULL && venue_table_set(m->store, name, text, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "cannot keep since when payments are booked");
        return;
    }
    *ret_us = now_us;
}

int payment_memory_open(struct payment_memory *m, struct trading_store *store, struct err *err)
{
    m->store = store;
    m->known_count = m->listed_count = m->told_count = m->next = 0;
    m->began_us = m->forced_us = m->newest_us = m->last = m->reported = 0;
    m->closed = m->began = false;
    int rc = load_time(m, BEGAN, &m->began_us, err);
    rc = rc < 0 ? rc : load_time(m, FORCED, &m->forced_us, err);
    return rc < 0 || store == NULL ? rc : venue_table_events(store, know, m, err);
}

int64_t payment_memory_since_us(const struct payment_memory *m, int64_t now_us)
{
    int64_t newest_us = m->newest_us > m->began_us ? m->newest_us : m->began_us;
    return (newest_us > 0 && newest_us < now_us ? newest_us : now_us) - LATE_US;
}

int64_t payment_memory_forced_since_us(struct payment_memory *m, int64_t now_us)
{
    if (m->forced_us == 0) {
        keep_time(m, FORCED, now_us, &m->forced_us);
    }
    return m->forced_us == 0 ? now_us : m->forced_us;
}

static struct listed of_report(const struct venue_report *report)
{
    struct listed l = {.event = report->event,
                       .symbol = report->symbol,
                       .side = report->side,
                       .qty = report->qty,
                       .price = report->price,
                       .payment = report->payment,
                       .at_us = report->at_us};
    memcpy(l.id, report->fills_after, sizeof(l.id));
    memcpy(l.fee_currency, report->fee_currency, sizeof(l.fee_currency));
    return l;
}

static void append(struct payment_memory *m, const struct listed *l)
{
    m->listed = grown(m->listed, m->listed_count, &m->listed_room, sizeof(m->listed[0]));
    m->listed[m->listed_count] = *l;
    m->listed[m->listed_count].place = m->listed_count;
    m->listed_count++;
}

void payment_memory_add(struct payment_memory *m, const struct venue_report *report)
{
    if (m->closed) { /* the next listing begins */
        m->closed = false;
        m->listed_count = m->next = 0;
    }
    const struct listed l = of_report(report);
    append(m, &l);
}

/* -1: it is new. Listings have them mostly in the order in which they were known. */
static int64_t number_of(struct payment_memory *m, const char *id)
{
    if (m->known_next < m->known_count && strcmp(m->known[m->known_next].id, id) == 0) {
        return m->known[m->known_next++].number;
    }
    for (int i = m->known_count - 1; i >= 0; i--) {
        if (strcmp(m->known[i].id, id) == 0) {
            m->known_next = i + 1;
            return m->known[i].number;
        }
    }
    return -1;
}

/* 0: it is not reported, now or ever. */
static int64_t give_number(struct payment_memory *m, const struct listed *l)
{
    struct err err = {0};
    struct venue_event_row row = {.number = m->began_us == 0 ? 0 : m->last + 1, .at_us = l->at_us};
    memcpy(row.id, l->id, sizeof(row.id));
    if (m->store != NULL && venue_table_add_event(m->store, &row, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "a payment of the account is booked later");
        return 0;
    }
    know(&row, m);
    return row.number;
}

static int by_number(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_time(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->at_us != y->at_us ? (x->at_us < y->at_us ? -1 : 1)
                                : (x->place > y->place) - (x->place < y->place);
}

static void keep_until_booked(struct payment_memory *m, const struct listed *l)
{
    for (int i = 0; i < m->told_count; i++) {
        if (m->told[i].number == l->number) {
            return;
        }
    }
    m->told = grown(m->told, m->told_count, &m->told_room, sizeof(m->told[0]));
    m->told[m->told_count++] = *l;
}

/* Each listing has these. */
static bool is_repeated(const struct listed *l)
{
    return l->event == VENUE_EVENT_FUNDING || l->event == VENUE_EVENT_FEE;
}

void payment_memory_tell(struct payment_memory *m, const struct venue_report *report)
{
    struct listed l = of_report(report);
    if (m->began_us == 0 || number_of(m, l.id) >= 0) {
        return; /* from before the books began, or known */
    }
    if (!m->began) { /* which numbers the books have is not known yet */
        payment_memory_add(m, report);
        return;
    }
    l.number = give_number(m, &l);
    if (l.number == 0) {
        return;
    }
    keep_until_booked(m, &l);
    if (m->closed) {
        append(m, &l); /* else the listing that is coming in takes it along */
    }
}

/* Those that the books have by now are forgotten. */
static void keep_told(struct payment_memory *m, int64_t after)
{
    int kept = 0;
    for (int i = 0; i < m->told_count; i++) {
        if (m->told[i].number > after) {
            m->told[kept++] = m->told[i];
            append(m, &m->told[kept - 1]);
        }
    }
    m->told_count = kept;
}

static bool is_listed(const struct payment_memory *m, int64_t number)
{
    for (int i = 0; i < m->listed_count; i++) {
        if (m->listed[i].number == number) {
            return true;
        }
    }
    return false;
}

/* An earlier process gave them numbers, and the books did not get them. Numbers that are higher may
 * be booked before a listing has them again, so they get new ones then. */
static void forget_unbooked(struct payment_memory *m, int64_t after)
{
    int kept = 0;
    struct err err = {0};
    for (int i = 0; i < m->known_count; i++) {
        const struct venue_event_row *row = &m->known[i];
        bool lost = row->number > after && !is_listed(m, row->number);
        if (lost && m->store != NULL && venue_table_forget_event(m->store, row->id, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "a payment of the account may be left out");
            lost = false;
        }
        m->known[kept] = *row;
        kept += lost ? 0 : 1;
    }
    m->known_count = kept;
}

/* All on disk at once, or none: those are booked later. */
static void number_listed(struct payment_memory *m)
{
    struct err err = {0};
    int known = m->known_count;
    int64_t last = m->last;
    bool writes = m->store != NULL && m->listed_count > 0;
    int rc = writes ? trading_store_begin(m->store, &err) : 0;
    for (int i = 0; i < m->listed_count; i++) {
        struct listed *l = &m->listed[i];
        int64_t number = number_of(m, l->id);
        l->number = number >= 0 ? number : rc >= 0 ? give_number(m, l) : 0;
    }
    rc = writes && rc >= 0 ? trading_store_commit(m->store, &err) : rc;
    if (rc >= 0) {
        return;
    }
    log_err(LOG_LEVEL_WARNING, &err, "payments of the account are booked later");
    m->known_count = known;
    m->known_next = 0;
    m->last = last;
    for (int i = 0; i < m->listed_count; i++) {
        m->listed[i].number = m->listed[i].number > last ? 0 : m->listed[i].number;
    }
}

void payment_memory_close(struct payment_memory *m, int64_t after, int64_t now_us)
{
    struct err err = {0};
    int kept = 0;
    if (m->closed) { /* there were none in this one */
        m->listed_count = 0;
    }
    m->last = after > m->last ? after : m->last;
    if (m->listed_count > 0) { /* as they came about */
        qsort(m->listed, (size_t)m->listed_count, sizeof(m->listed[0]), by_time);
    }
    number_listed(m);
    for (int i = 0; i < m->listed_count; i++) {
        struct listed *l = &m->listed[i];
        if (l->number > after && is_repeated(l)) {
            m->listed[kept++] = *l;
        } else if (l->number > after) {
            keep_until_booked(m, l);
        }
    }
    m->listed_count = kept;
    keep_told(m, after);
    kept = m->listed_count;
    if (!m->began) {
        forget_unbooked(m, after);
    }
    m->next = 0;
    m->closed = m->began = true;
    m->reported = after;
    if (kept > 0) {
        qsort(m->listed, (size_t)kept, sizeof(m->listed[0]), by_number);
    }
    if (m->began_us == 0) {
        keep_time(m, BEGAN, now_us, &m->began_us);
    } else if (kept > 0 && m->store != NULL &&
               venue_table_forget_events(m->store, now_us - KEPT_US, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "cannot forget old payments of the account");
    }
}

bool payment_memory_waits(const struct payment_memory *m)
{
    return m->closed && m->next < m->listed_count;
}

bool payment_memory_pop(struct payment_memory *m, struct venue_report *ret)
{
    if (!payment_memory_waits(m)) {
        return false;
    }
    const struct listed *l = &m->listed[m->next++];
    *ret = (struct venue_report){.kind = VENUE_FUNDING,
                                 .event = l->event,
                                 .funding_id = l->number,
                                 .prev_funding_id = m->reported,
                                 .symbol = l->symbol,
                                 .side = l->side,
                                 .qty = l->qty,
                                 .price = l->price,
                                 .payment = l->payment,
                                 .at_us = l->at_us};
    memcpy(ret->fee_currency, l->fee_currency, sizeof(ret->fee_currency));
    m->reported = l->number;
    return true;
}

int64_t payment_memory_newest(const struct payment_memory *m)
{
    return m->reported;
}
