/*
 * bench.h: shared by all bench_<module>.c: a clock, percentiles, a table.
 *
 *     static double ns[RUNS];
 *     for (size_t i = 0; i < RUNS; i++) { int64_t t = bench_now_ns(); work(); ns[i] = ...; }
 *     bench_table_head();
 *     bench_table_row("dec_mul", ns, RUNS, "ns", NULL);
 *
 * A sample is the mean of one batch, so the median and p99 are of batches. "p99" is the worse end
 * of the unit (the low end for a rate). A peer is measured in the same run, interleaved. Thread:
 * main thread of the bench binary; bench_now_ns from any.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Makes this process die with its parent, so that an aborted benchmark leaves no process. */
static inline void bench_die_with_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
}

static inline int64_t bench_now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Prevents the compiler from removing the computation of a result. */
static inline void bench_use(const void *result)
{
    __asm__ volatile("" : : "r"(result) : "memory");
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank, fraction in 0..1. Sorts the samples; count > 0. */
static inline double bench_percentile(double *samples, size_t count, double fraction)
{
    qsort(samples, count, sizeof(samples[0]), bench_compare);
    size_t rank = (size_t)(fraction * (double)count);
    return samples[rank < count ? rank : count - 1];
}

static inline void bench_table_head(void)
{
    printf("%-44s | %12s | %12s | %-9s | %s\n", "name", "median", "p99", "unit", "peer");
}

/* unit: "ns", "us", "ms", "events/s", ...; a unit that ends in "/s" is a rate. peer: text of the
 * comparison; NULL for none. Sorts the samples. */
static inline void bench_table_row(const char *name, double *samples, size_t count,
                                   const char *unit, const char *peer)
{
    size_t unit_len = strlen(unit);
    bool rate = unit_len > 2 && strcmp(unit + unit_len - 2, "/s") == 0;
    double median = bench_percentile(samples, count, 0.5);
    double p99 = bench_percentile(samples, count, rate ? 0.01 : 0.99);
    int decimals = median >= 1000 ? 0 : 2;
    printf("%-44s | %12.*f | %12.*f | %-9s | %s\n", name, decimals, median, decimals, p99, unit,
           peer != NULL ? peer : "");
}
