#include "chart_axis.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "io/zone.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double chart_axis_step(double range, double wanted)
{
    double raw = range / wanted;
    double power = pow(10, floor(log10(raw)));
    double ratio = raw / power;
    return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

void chart_axis_number(double value, double step, const char *unit, char dst[CHART_NUMBER_SIZE])
{
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    bool is_dollar = unit != NULL && strcmp(unit, "$") == 0;
    decimals = is_dollar && decimals == 1 ? 2 : decimals; /* cents, not dimes */
    char plain[32];
    (void)snprintf(plain, sizeof(plain), "%.*f", decimals > 8 ? 8 : decimals, fabs(value));
    size_t whole = strcspn(plain, ".");
    size_t at = 0;
    if (value < -step / 1e6 && strspn(plain, "0.") < strlen(plain)) {
        at = str_copy(str_c("\u2212"), dst, CHART_NUMBER_SIZE) ? strlen(dst) : 0;
    }
    if (is_dollar) {
        dst[at++] = '$';
    }
    for (size_t i = 0; plain[i] != '\0' && at < 48; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0) {
            dst[at++] = ',';
        }
        dst[at++] = plain[i];
    }
    dst[at] = '\0';
    if (unit != NULL && !is_dollar) {
        (void)str_copy(str_c(unit), dst + at, CHART_NUMBER_SIZE - at);
    }
}

static const int64_t time_steps_us[] = {
    USEC_PER_MIN,        5 * USEC_PER_MIN,   15 * USEC_PER_MIN,  30 * USEC_PER_MIN,
    USEC_PER_HOUR,       2 * USEC_PER_HOUR,  3 * USEC_PER_HOUR,  6 * USEC_PER_HOUR,
    12 * USEC_PER_HOUR,  USEC_PER_DAY,       2 * USEC_PER_DAY,   3 * USEC_PER_DAY,
    7 * USEC_PER_DAY,    14 * USEC_PER_DAY,  30 * USEC_PER_DAY,  60 * USEC_PER_DAY,
    90 * USEC_PER_DAY,   180 * USEC_PER_DAY, 360 * USEC_PER_DAY, 720 * USEC_PER_DAY,
    1800 * USEC_PER_DAY,
};

int64_t chart_axis_time_step(size_t index)
{
    return index < COUNT_OF(time_steps_us) ? time_steps_us[index] : 0;
}

const char *chart_axis_widest(int64_t step_us)
{
    return step_us >= 30 * USEC_PER_DAY ? "Mmm 0000" : "00 Mmm";
}

static int64_t offset_us(const struct zone *zone, int64_t at_us)
{
    return zone_local(zone, at_us).offset_s * USEC_PER_SEC;
}

/* The instant at which clocks show this local time. */
static int64_t from_local(const struct zone *zone, int64_t local_us)
{
    int64_t guess_us = local_us - offset_us(zone, local_us);
    return local_us - offset_us(zone, guess_us);
}

static struct tm calendar(int64_t local_us)
{
    time_t seconds = (time_t)(local_us / USEC_PER_SEC);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    return tm;
}

static int64_t local_tick(int64_t local_us, int64_t step_us)
{
    if (step_us < 30 * USEC_PER_DAY) {
        return (local_us + step_us - 1) / step_us * step_us;
    }
    int months = (int)(step_us / (30 * USEC_PER_DAY));
    struct tm tm = calendar(local_us - 1);
    int month = tm.tm_year * 12 + tm.tm_mon;
    month = (month / months + 1) * months;
    struct tm first = {.tm_year = month / 12, .tm_mon = month % 12, .tm_mday = 1};
    return (int64_t)timegm(&first) * USEC_PER_SEC;
}

int64_t chart_axis_tick(const struct zone *zone, int64_t at_us, int64_t step_us)
{
    int64_t local_us = local_tick(at_us + offset_us(zone, at_us), step_us);
    int64_t tick_us = from_local(zone, local_us);
    /* When clocks are set back, a local time comes twice; the tick must not go back with it. */
    for (int i = 0; i < 4 && tick_us < at_us; i++) {
        local_us = local_tick(local_us + 1, step_us);
        tick_us = from_local(zone, local_us);
    }
    return tick_us < at_us ? at_us + step_us : tick_us;
}

void chart_axis_time(const struct zone *zone, int64_t at_us, int64_t step_us,
                     char dst[CHART_TIME_SIZE])
{
    int64_t local_us = at_us + offset_us(zone, at_us);
    struct tm tm = calendar(local_us);
    if (step_us >= 30 * USEC_PER_DAY) {
        (void)strftime(dst, CHART_TIME_SIZE, "%b %Y", &tm);
    } else if (step_us >= USEC_PER_DAY || local_us % USEC_PER_DAY == 0) {
        char month[8];
        (void)strftime(month, sizeof(month), "%b", &tm);
        (void)snprintf(dst, CHART_TIME_SIZE, "%d %s", tm.tm_mday, month);
    } else {
        (void)strftime(dst, CHART_TIME_SIZE, "%H:%M", &tm);
    }
}
