/*
 * chart_axis.h: numbers and times along the axes of a chart: steps, ticks, texts. Private to this
 * module: chart.c.
 *
 *     double step = chart_axis_step(f->highest - f->lowest, 5);
 *     chart_axis_number(k * step, step, "$", text);                  // "$10,400"
 *     for (t = chart_axis_tick(zone, from_us, step_us); t <= to_us; …) chart_axis_time(…);
 *
 * Thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct zone;

#define CHART_NUMBER_SIZE 64
#define CHART_TIME_SIZE   32

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them fill the range. */
double chart_axis_step(double range, double wanted);
/* "−12,345.6 %": as many decimals as the step between ticks needs. A unit "$" comes first. */
void chart_axis_number(double value, double step, const char *unit, char dst[CHART_NUMBER_SIZE]);

/* The time steps from one minute to five years; 0 past the end. Steps of 30 days and more are whole
 * months, which differ in length. */
int64_t chart_axis_time_step(size_t index);
/* The widest text of a tick of this step. */
const char *chart_axis_widest(int64_t step_us);
/* The first tick at or after at_us: a multiple of the step in local time. */
int64_t chart_axis_tick(const struct zone *zone, int64_t at_us, int64_t step_us);
/* "14:30", "4 Jan" (also at midnight) or "Jan 2026". */
void chart_axis_time(const struct zone *zone, int64_t at_us, int64_t step_us,
                     char dst[CHART_TIME_SIZE]);
