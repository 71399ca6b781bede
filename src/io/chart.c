#include "io/chart.h"

#include "base/check.h"
#include "base/clock.h"
#include "library.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define TICKS_MAX     12
#define REFERENCE     1200.0 /* the width at which fonts have the sizes below */
#define TITLE_SIZE    34.0
#define SUBTITLE_SIZE 22.0
#define LABEL_SIZE    20.0
#define MARGIN        24.0

/* ------------------------------------------------------------------ the library */

/* clang-format off */
#define FUNCTIONS(X) \
    X(arc) X(clip) X(close_path) X(create) \
    X(destroy) X(fill) X(fill_preserve) X(image_surface_create) \
    X(line_to) X(move_to) X(new_sub_path) X(paint) \
    X(rectangle) X(restore) X(save) X(select_font_face) \
    X(set_font_size) X(set_line_join) X(set_line_width) X(set_source_rgb) \
    X(set_source_rgba) X(show_text) X(status) X(status_to_string) \
    X(stroke) X(surface_destroy) X(surface_write_to_png_stream) X(text_extents)
/* clang-format on */

static struct {
#define X(name) __typeof__(cairo_##name) *name;
    FUNCTIONS(X)
#undef X
} cairo;

static const struct library_function functions[] = {
#define X(name) {"cairo_" #name, &cairo.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libcairo.so.2"},
                                 .package = "libcairo2",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* ------------------------------------------------------------------ drawing */

struct colour {
    double red, green, blue;
};

static const struct colour colours[CHART_COLOURS] = {
    [CHART_BLUE] = {0.11, 0.38, 0.84},   [CHART_RED] = {0.84, 0.18, 0.20},
    [CHART_GREEN] = {0.05, 0.56, 0.33},  [CHART_GREY] = {0.35, 0.40, 0.47},
    [CHART_ORANGE] = {0.90, 0.49, 0.04}, [CHART_VIOLET] = {0.48, 0.27, 0.76},
    [CHART_TEAL] = {0.03, 0.54, 0.60},   [CHART_BROWN] = {0.55, 0.36, 0.22},
};

static const struct colour ink = {0.09, 0.11, 0.16}, faint_ink = {0.36, 0.40, 0.46},
                           grid = {0.88, 0.90, 0.92};

/* The state while one chart is drawn. */
struct canvas {
    const struct chart *chart;
    cairo_t *cr;
    double scale; /* of fonts and strokes */
    double left, right;
    int64_t from_us, to_us;
};

/* One panel's rectangle and the values at its edges. */
struct frame {
    double top, bottom;
    double lowest, highest;
    double step; /* of its ticks */
};

static void set_colour(cairo_t *cr, struct colour c, double opacity)
{
    cairo.set_source_rgba(cr, c.red, c.green, c.blue, opacity);
}

/* ---------------------------------------------------------------- text */

enum align { ALIGN_LEFT, ALIGN_MIDDLE, ALIGN_RIGHT };

static void set_font(const struct canvas *c, double size, bool bold)
{
    cairo.select_font_face(c->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo.set_font_size(c->cr, size * c->scale);
}

static double text_width(const struct canvas *c, const char *text)
{
    cairo_text_extents_t extents;
    cairo.text_extents(c->cr, text, &extents);
    return extents.x_advance;
}

/* y is the baseline. */
static void draw_text(const struct canvas *c, const char *text, double x, double y,
                      enum align align)
{
    double width = text_width(c, text);
    cairo.move_to(c->cr,
                  align == ALIGN_LEFT    ? x
                  : align == ALIGN_RIGHT ? x - width
                                         : x - width / 2,
                  y);
    cairo.show_text(c->cr, text);
}

/* "-12,345.6": as many decimals as the step between ticks needs. */
static void format_number(double value, double step, const char *unit, char dst[48])
{
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    char plain[32];
    (void)snprintf(plain, sizeof(plain), "%.*f", decimals > 8 ? 8 : decimals, fabs(value));
    size_t whole = strcspn(plain, ".");
    size_t at = 0;
    if (value < -step / 1e6) {
        dst[at++] = '-';
    }
    for (size_t i = 0; plain[i] != '\0' && at < 40; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0) {
            dst[at++] = ',';
        }
        dst[at++] = plain[i];
    }
    dst[at] = '\0';
    if (unit != NULL) {
        (void)str_copy(str_c(unit), dst + at, 48 - at);
    }
}

/* ---------------------------------------------------------------- axes */

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them fill the range. */
static double nice_step(double range, double wanted)
{
    double raw = range / wanted;
    double power = pow(10, floor(log10(raw)));
    double ratio = raw / power;
    return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

static void include_value(struct frame *f, double value)
{
    if (isfinite(value)) {
        f->lowest = value < f->lowest ? value : f->lowest;
        f->highest = value > f->highest ? value : f->highest;
    }
}

static void find_range(const struct canvas *c, const struct chart_panel *panel, struct frame *f)
{
    f->lowest = HUGE_VAL;
    f->highest = -HUGE_VAL;
    for (int l = 0; l < panel->line_count; l++) {
        for (int i = 0; i < c->chart->count; i++) {
            include_value(f, panel->lines[l].values[i]);
        }
    }
    for (int i = 0; i < panel->mark_count; i++) {
        include_value(f, panel->marks[i].value);
    }
    if (panel->from_zero || f->lowest > f->highest) {
        include_value(f, 0);
    }
    double range = f->highest - f->lowest;
    double least = fmax(fabs(f->highest) * 1e-6, 1e-6);
    if (range < least) {
        f->lowest -= panel->from_zero && f->lowest == 0 ? 0 : least;
        f->highest += panel->from_zero && f->highest == 0 && f->lowest < 0 ? 0 : least;
        range = f->highest - f->lowest;
    }
    /* If all values are on one side of zero, zero stays at the edge. */
    double air = range * 0.06;
    f->lowest -= panel->from_zero && f->lowest == 0 ? 0 : air;
    f->highest += panel->from_zero && f->highest == 0 ? 0 : air;
    double fits = (f->bottom - f->top) / (LABEL_SIZE * c->scale * 2.4);
    f->step = nice_step(f->highest - f->lowest, fmin(fmax(fits, 3.5), 6));
}

static double place_y(const struct frame *f, double value)
{
    return f->bottom - (value - f->lowest) / (f->highest - f->lowest) * (f->bottom - f->top);
}

static double place_x(const struct canvas *c, int64_t at_us)
{
    if (c->to_us == c->from_us) {
        return (c->left + c->right) / 2;
    }
    return c->left +
           (double)(at_us - c->from_us) / (double)(c->to_us - c->from_us) * (c->right - c->left);
}

static void draw_value_axis(const struct canvas *c, const struct chart_panel *panel,
                            const struct frame *f)
{
    set_font(c, LABEL_SIZE, false);
    for (double k = ceil(f->lowest / f->step); k * f->step <= f->highest; k++) {
        double y = place_y(f, k * f->step);
        char text[48];
        format_number(k * f->step, f->step, panel->unit, text);
        set_colour(c->cr, grid, 1);
        cairo.set_line_width(c->cr, (k == 0 ? 2.5 : 1.5) * c->scale);
        cairo.move_to(c->cr, c->left, y);
        cairo.line_to(c->cr, c->right, y);
        cairo.stroke(c->cr);
        set_colour(c->cr, faint_ink, 1);
        draw_text(c, text, c->right + 10 * c->scale, y + LABEL_SIZE * 0.36 * c->scale, ALIGN_LEFT);
    }
}

/* Steps of 30 days and more are whole months, which differ in length. */
static const int64_t time_steps_us[] = {
    USEC_PER_MIN,        5 * USEC_PER_MIN,   15 * USEC_PER_MIN,  30 * USEC_PER_MIN,
    USEC_PER_HOUR,       2 * USEC_PER_HOUR,  3 * USEC_PER_HOUR,  6 * USEC_PER_HOUR,
    12 * USEC_PER_HOUR,  USEC_PER_DAY,       2 * USEC_PER_DAY,   3 * USEC_PER_DAY,
    7 * USEC_PER_DAY,    14 * USEC_PER_DAY,  30 * USEC_PER_DAY,  60 * USEC_PER_DAY,
    90 * USEC_PER_DAY,   180 * USEC_PER_DAY, 360 * USEC_PER_DAY, 720 * USEC_PER_DAY,
    1800 * USEC_PER_DAY,
};

static struct tm utc(int64_t at_us)
{
    time_t seconds = (time_t)(at_us / USEC_PER_SEC);
    struct tm tm = {0};
    (void)gmtime_r(&seconds, &tm);
    return tm;
}

/* The first multiple of the step at or after at_us. */
static int64_t tick_from(int64_t at_us, int64_t step_us)
{
    if (step_us < 30 * USEC_PER_DAY) {
        return (at_us + step_us - 1) / step_us * step_us;
    }
    int months = (int)(step_us / (30 * USEC_PER_DAY));
    struct tm tm = utc(at_us - 1);
    int month = tm.tm_year * 12 + tm.tm_mon;
    month = (month / months + 1) * months;
    struct tm first = {.tm_year = month / 12, .tm_mon = month % 12, .tm_mday = 1};
    return (int64_t)timegm(&first) * USEC_PER_SEC;
}

static void format_time(int64_t at_us, int64_t step_us, char dst[32])
{
    struct tm tm = utc(at_us);
    if (step_us >= 30 * USEC_PER_DAY) {
        (void)strftime(dst, 32, "%b %Y", &tm);
    } else if (step_us >= USEC_PER_DAY || at_us % USEC_PER_DAY == 0) {
        (void)strftime(dst, 32, "%d %b", &tm);
    } else {
        (void)strftime(dst, 32, "%H:%M", &tm);
    }
}

static void draw_time_axis(const struct canvas *c, const struct frame *frames)
{
    set_font(c, LABEL_SIZE, false);
    double width = c->right - c->left;
    int64_t span_us = c->to_us - c->from_us;
    size_t s = 0;
    for (; s + 1 < COUNT_OF(time_steps_us); s++) {
        const char *widest = time_steps_us[s] >= 30 * USEC_PER_DAY ? "Mmm 0000" : "00 Mmm";
        double fits = fmin(width / (text_width(c, widest) * 1.5), TICKS_MAX);
        if ((double)span_us / (double)time_steps_us[s] <= fits) {
            break;
        }
    }
    int64_t step_us = time_steps_us[s];
    double y = frames[c->chart->panel_count - 1].bottom + LABEL_SIZE * 1.35 * c->scale;
    int64_t at_us = tick_from(c->from_us, step_us);
    for (int i = 0; i < TICKS_MAX * 2 && at_us <= c->to_us; i++) {
        double x = place_x(c, at_us);
        char text[32];
        format_time(at_us, step_us, text);
        set_colour(c->cr, grid, 1);
        cairo.set_line_width(c->cr, 1.5 * c->scale);
        for (int p = 0; p < c->chart->panel_count; p++) {
            cairo.move_to(c->cr, x, frames[p].top);
            cairo.line_to(c->cr, x, frames[p].bottom);
        }
        cairo.stroke(c->cr);
        double half = text_width(c, text) / 2;
        set_colour(c->cr, faint_ink, 1);
        if (x - half >= 0 && x + half <= c->chart->width) {
            draw_text(c, text, x, y, ALIGN_MIDDLE);
        }
        at_us = tick_from(at_us + 1, step_us);
    }
}

/* ---------------------------------------------------------------- lines and marks */

static void trace(const struct canvas *c, const struct frame *f, const double *values)
{
    bool pen_down = false;
    for (int i = 0; i < c->chart->count; i++) {
        if (!isfinite(values[i])) {
            pen_down = false;
            continue;
        }
        double x = place_x(c, c->chart->at_us[i]);
        double y = place_y(f, values[i]);
        if (pen_down) {
            cairo.line_to(c->cr, x, y);
        } else {
            cairo.move_to(c->cr, x, y);
        }
        pen_down = true;
    }
}

static void fill_line(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    double base = fmin(fmax(place_y(f, 0), f->top), f->bottom);
    int first = 0;
    int last = c->chart->count - 1;
    while (first < last && !isfinite(line->values[first])) {
        first++;
    }
    while (last > first && !isfinite(line->values[last])) {
        last--;
    }
    trace(c, f, line->values);
    cairo.line_to(c->cr, place_x(c, c->chart->at_us[last]), base);
    cairo.line_to(c->cr, place_x(c, c->chart->at_us[first]), base);
    cairo.close_path(c->cr);
    set_colour(c->cr, colours[line->colour], 0.16);
    cairo.fill(c->cr);
}

static void draw_line(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    if (line->filled) {
        fill_line(c, f, line);
    }
    trace(c, f, line->values);
    set_colour(c->cr, colours[line->colour], 1);
    cairo.set_line_width(c->cr, 2.6 * c->scale);
    cairo.stroke(c->cr);
}

/* The more marks, the smaller they are, so that the line stays visible. */
static double mark_size(const struct canvas *c, int count)
{
    double size = 10 * sqrt(40.0 / (count > 40 ? count : 40));
    return fmax(size, 4.5) * c->scale;
}

static void draw_mark(const struct canvas *c, const struct frame *f, const struct chart_mark *mark,
                      double size)
{
    if (!isfinite(mark->value) || mark->at_us < c->from_us || mark->at_us > c->to_us) {
        return;
    }
    double x = place_x(c, mark->at_us);
    double y = place_y(f, mark->value);
    switch (mark->shape) {
    case CHART_UP:
    case CHART_DOWN: {
        double tip = mark->shape == CHART_UP ? -1 : 1;
        cairo.move_to(c->cr, x, y + tip * size);
        cairo.line_to(c->cr, x - size * 0.9, y - tip * size * 0.7);
        cairo.line_to(c->cr, x + size * 0.9, y - tip * size * 0.7);
        cairo.close_path(c->cr);
        break;
    }
    case CHART_DOT:
        cairo.new_sub_path(c->cr);
        cairo.arc(c->cr, x, y, size * 0.6, 0, 2 * acos(-1));
        break;
    }
    set_colour(c->cr, colours[mark->colour], 0.95);
    cairo.fill_preserve(c->cr);
    cairo.set_source_rgb(c->cr, 1, 1, 1);
    cairo.set_line_width(c->cr, size * 0.12);
    cairo.stroke(c->cr);
}

static void draw_panel_title(const struct canvas *c, const struct chart_panel *panel, double y)
{
    set_font(c, LABEL_SIZE, true);
    set_colour(c->cr, ink, 1);
    draw_text(c, panel->title, c->left, y, ALIGN_LEFT);
    double x = c->left + text_width(c, panel->title) + 24 * c->scale;
    set_font(c, LABEL_SIZE, false);
    for (int l = 0; l < panel->line_count; l++) {
        const struct chart_line *line = &panel->lines[l];
        if (line->name == NULL) {
            continue;
        }
        set_colour(c->cr, colours[line->colour], 1);
        cairo.rectangle(c->cr, x, y - LABEL_SIZE * 0.45 * c->scale, 22 * c->scale, 5 * c->scale);
        cairo.fill(c->cr);
        x += 30 * c->scale;
        set_colour(c->cr, faint_ink, 1);
        draw_text(c, line->name, x, y, ALIGN_LEFT);
        x += text_width(c, line->name) + 22 * c->scale;
    }
}

static void draw_panel(const struct canvas *c, const struct chart_panel *panel,
                       const struct frame *f)
{
    draw_value_axis(c, panel, f);
    cairo.save(c->cr);
    double out = 10 * c->scale; /* so that marks on the edge are not clipped */
    cairo.rectangle(c->cr, c->left - out, f->top - out, c->right - c->left + 2 * out,
                    f->bottom - f->top + 2 * out);
    cairo.clip(c->cr);
    for (int l = 0; l < panel->line_count; l++) {
        draw_line(c, f, &panel->lines[l]);
    }
    for (int i = 0; i < panel->mark_count; i++) {
        draw_mark(c, f, &panel->marks[i], mark_size(c, panel->mark_count));
    }
    cairo.restore(c->cr);
}

/* ---------------------------------------------------------------- chart */

/* Returns the y at which the panels begin. */
static double draw_head(const struct canvas *c)
{
    double y = MARGIN * c->scale;
    if (c->chart->title != NULL) {
        set_font(c, TITLE_SIZE, true);
        set_colour(c->cr, ink, 1);
        y += TITLE_SIZE * 0.8 * c->scale;
        draw_text(c, c->chart->title, c->left, y, ALIGN_LEFT);
    }
    struct str rest = str_c(c->chart->subtitle), line;
    set_font(c, SUBTITLE_SIZE, false);
    set_colour(c->cr, faint_ink, 1);
    while (str_split(&rest, '\n', &line)) {
        char text[256];
        (void)str_copy(line, text, sizeof(text));
        y += SUBTITLE_SIZE * 1.45 * c->scale;
        draw_text(c, text, c->left, y, ALIGN_LEFT);
    }
    return y + 14 * c->scale;
}

/* The width of the value axis: that of its widest number. */
static double axis_width(const struct canvas *c, const struct frame *frames)
{
    double widest = 0;
    set_font(c, LABEL_SIZE, false);
    for (int p = 0; p < c->chart->panel_count; p++) {
        const struct frame *f = &frames[p];
        for (double k = ceil(f->lowest / f->step); k * f->step <= f->highest; k++) {
            char text[48];
            format_number(k * f->step, f->step, c->chart->panels[p].unit, text);
            widest = fmax(widest, text_width(c, text));
        }
    }
    return widest + 16 * c->scale;
}

static void draw(cairo_t *cr, const struct chart *chart)
{
    struct canvas c = {.chart = chart,
                       .cr = cr,
                       .scale = chart->width / REFERENCE,
                       .from_us = chart->at_us[0],
                       .to_us = chart->at_us[chart->count - 1]};
    c.left = MARGIN * c.scale;
    cairo.set_source_rgb(cr, 1, 1, 1);
    cairo.paint(cr);
    cairo.set_line_join(cr, CAIRO_LINE_JOIN_ROUND);

    double head = draw_head(&c);
    double foot = chart->height - LABEL_SIZE * 2.2 * c.scale;
    double title = LABEL_SIZE * 2.3 * c.scale;
    double weights = 0;
    for (int p = 0; p < chart->panel_count; p++) {
        weights += chart->panels[p].weight;
    }
    struct frame frames[CHART_PANELS_MAX];
    double free_height = fmax(foot - head - title * chart->panel_count, 10);
    double y = head;
    for (int p = 0; p < chart->panel_count; p++) {
        struct frame *f = &frames[p];
        f->top = y + title;
        f->bottom = f->top + free_height * chart->panels[p].weight / weights;
        y = f->bottom;
        find_range(&c, &chart->panels[p], f);
    }
    c.right = chart->width - axis_width(&c, frames) - MARGIN * 0.5 * c.scale;
    for (int p = 0; p < chart->panel_count; p++) {
        draw_panel_title(&c, &chart->panels[p], frames[p].top - LABEL_SIZE * 0.6 * c.scale);
    }
    if (chart->panel_count > 0) {
        draw_time_axis(&c, frames);
    }
    for (int p = 0; p < chart->panel_count; p++) {
        draw_panel(&c, &chart->panels[p], &frames[p]);
    }
}

static cairo_status_t add_bytes(void *closure, const unsigned char *bytes, unsigned int count)
{
    struct buf *out = closure;
    buf_add(out, bytes, count);
    return out->failed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

int chart_png(const struct chart *chart, struct buf *out, struct err *err)
{
    ASSERT(chart->width >= CHART_SIZE_MIN && chart->width <= CHART_SIZE_MAX &&
           chart->height >= CHART_SIZE_MIN && chart->height <= CHART_SIZE_MAX &&
           chart->count >= 1 && chart->panel_count >= 0 && chart->panel_count <= CHART_PANELS_MAX);
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    cairo_surface_t *surface =
        cairo.image_surface_create(CAIRO_FORMAT_RGB24, chart->width, chart->height);
    cairo_t *cr = cairo.create(surface);
    draw(cr, chart);
    cairo_status_t status = cairo.status(cr);
    cairo.destroy(cr);
    if (status == CAIRO_STATUS_SUCCESS) {
        status = cairo.surface_write_to_png_stream(surface, add_bytes, out);
    }
    cairo.surface_destroy(surface);
    if (out->failed) {
        return err_set(err, ERR_FILE_TOO_LARGE, "a picture of %d x %d", chart->width,
                       chart->height);
    }
    return status == CAIRO_STATUS_SUCCESS
               ? 0
               : err_set(err, ERR_INTERNAL, "cairo: %s", cairo.status_to_string(status));
}
