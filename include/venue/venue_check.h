/*
 * venue_check.h: asks a real venue what a person must know before trading there: the key, its
 * rights, the clock, the symbols, the account. It reads, and sends no order.
 *
 *     rc = venue_check_run(&(struct venue_check){.settings = &settings, .symbols = symbols,
 *                              .count = n, .capital = capital, .on_row = print_row}, err);
 *
 * Always true: each thing that was asked has one row; what was not asked, because something before
 * it failed, has none. It ends within a minute.
 * Thread: the caller's, which it keeps until the venue has answered.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "model/symbol.h"
#include "model/venue_settings.h"

enum venue_check_result {
    VENUE_CHECK_FINE,
    VENUE_CHECK_NOTE, /* it works, and a person should know it */
    VENUE_CHECK_BAD   /* nothing is traded so */
};

struct venue_check_row {
    enum venue_check_result result;
    char what[24]; /* "clock" "key" "BTC-USDT" */
    char text[200];
};

struct venue_check {
    const struct venue_settings *settings; /* venue_check_settings has accepted them */
    const struct symbol *symbols;
    int count;
    struct dec capital; /* with which the books begin */
    void (*on_row)(const struct venue_check_row *row, void *userdata);
    void *userdata;
};

/* 0: every row is fine or a note; 1: at least one is bad. < 0: the check could not begin. */
int venue_check_run(const struct venue_check *check, struct err *err);
