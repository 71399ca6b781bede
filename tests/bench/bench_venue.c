/*
 * bench_venue.c: the cost of the paper venue in a back-test: a bar without orders, a bar that
 * checks brackets, and a whole trade (entry, bar that fills it, close), without a disk.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "venue/paper.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCHES 1000
#define BARS    1000

static double quiet_ns[BATCHES], held_ns[BATCHES], trade_ns[BATCHES];

static const struct symbol symbols[] = {{"BTC-USD"}, {"ETH-USD"}, {"SOL-USD"}};

static void push_bar(struct paper *paper, int64_t minute)
{
    struct source_bar bars[3];
    for (int i = 0; i < 3; i++) {
        bars[i] = (struct source_bar){symbols[i],
                                      {minute * USEC_PER_MIN, dec_from_int(100), dec_from_int(101),
                                       dec_from_int(99), dec_from_int(100), dec_from_int(5)}};
    }
    ASSERT(paper_bars(paper, bars, 3, NULL) >= 0);
}

static void drain(struct paper *paper)
{
    struct venue_report r;
    while (venue_poll(&paper->venue, &r)) {
        bench_use(&r);
    }
}

static void order(struct paper *paper, enum order_kind kind, int symbol, int64_t minute, int64_t n)
{
    struct order o = {.symbol = symbols[symbol],
                      .kind = kind,
                      .qty = dec_from_int(1),
                      .stop = dec_from_int(90),
                      .target = dec_from_int(110),
                      .created_us = minute * USEC_PER_MIN};
    (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%lld", (long long)n);
    venue_send(&paper->venue, &o);
}

int main(void)
{
    struct paper_settings settings = {.initial_cash = dec_from_int(1000000000),
                                      .spread_bps = 4,
                                      .fee_bps = 5,
                                      .depth = dec_from_int(50000),
                                      .level_bps = 2,
                                      .tick_digits = 6,
                                      .funding_bps = 1};
    struct paper *paper = calloc(1, sizeof(*paper));
    ASSERT(paper != NULL);
    paper_init(paper, &settings, USEC_PER_MIN, 3);
    paper_open_memory(paper);
    int64_t minute = 1, id = 1;
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < BARS; i++) {
            push_bar(paper, minute++);
        }
        quiet_ns[b] = (double)(bench_now_ns() - start) / BARS / 3;
    }
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < 100; i++) {
            order(paper, ORDER_ENTRY, 0, minute, id++);
            push_bar(paper, minute++);
            order(paper, ORDER_CLOSE, 0, minute, id++);
            drain(paper);
        }
        trade_ns[b] = (double)(bench_now_ns() - start) / 100;
    }
    for (int i = 0; i < 3; i++) {
        order(paper, ORDER_ENTRY, i, minute, id++);
    }
    push_bar(paper, minute++);
    drain(paper);
    ASSERT(paper->book.position_count == 3);
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < BARS; i++) {
            push_bar(paper, minute++);
        }
        held_ns[b] = (double)(bench_now_ns() - start) / BARS / 3;
        drain(paper);
    }
    bench_table_head();
    bench_table_row("paper venue, a bar, nothing open (target 100)", quiet_ns, BATCHES, "ns", NULL);
    bench_table_row("paper venue, a bar, three positions", held_ns, BATCHES, "ns", NULL);
    bench_table_row("paper venue, entry, fill and close", trade_ns, BATCHES, "ns", NULL);
    paper_release(paper);
    free(paper);
    return 0;
}
