#include "io/chart.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "chart_axis.h"
#include "chart_look.h"
#include "library.h"
#include "png.h"

#include <cairo.h>
#include <math.h>
#include <stdlib.h>

#define TICKS_MAX     12
#define REFERENCE     1200.0 /* the width at which texts and strokes have the sizes below */
#define TITLE_SIZE    34.0
#define SUBTITLE_SIZE 22.0
#define LABEL_SIZE    20.0
#define MARGIN        24.0

/* ------------------------------------------------------------------ the library */

/* clang-format off */
#define FUNCTIONS(X) \
    X(arc) X(clip) X(close_path) X(create) \
    X(destroy) X(fill) X(fill_preserve) X(image_surface_create) \
    X(image_surface_get_data) X(image_surface_get_stride) X(line_to) X(move_to) \
    X(new_sub_path) X(paint) X(rectangle) X(restore) \
    X(save) X(select_font_face) X(set_dash) X(set_font_size) \
    X(set_line_cap) X(set_line_join) X(set_line_width) X(set_source_rgba) \
    X(show_text) X(status) X(status_to_string) X(stroke) \
    X(surface_destroy) X(surface_flush) X(text_extents)
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

/* The state while one chart is drawn. */
struct canvas {
    const struct chart *chart;
    const struct look *look;
    cairo_t *cr;
    double scale; /* of strokes and gaps */
    double label; /* sizes of texts */
    double title;
    double subtitle;
    double left, right;
    int64_t from_us, to_us;
};

/* One panel's rectangle and the values at its edges. */
struct frame {
    double top, bottom;
    double lowest, highest;
    double step; /* of its ticks */
};

static void set_colour(const struct canvas *c, struct colour colour, double opacity)
{
    cairo.set_source_rgba(c->cr, colour.red, colour.green, colour.blue, opacity);
}

static struct colour of(const struct canvas *c, enum chart_colour colour)
{
    return c->look->colours[colour];
}

/* ---------------------------------------------------------------- text */

enum align { ALIGN_LEFT, ALIGN_MIDDLE, ALIGN_RIGHT };

static void set_font(const struct canvas *c, double size, bool bold)
{
    cairo.select_font_face(c->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo.set_font_size(c->cr, size);
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

/* Sets the font so that the text is at most so wide. */
static void fit_font(const struct canvas *c, const char *text, double size, bool bold, double most)
{
    set_font(c, size, bold);
    double width = text_width(c, text);
    if (width > most && width > 0) {
        set_font(c, size * most / width, bold);
    }
}

/* ---------------------------------------------------------------- axes */

static void include_value(struct frame *f, double value)
{
    if (isfinite(value)) {
        f->lowest = value < f->lowest ? value : f->lowest;
        f->highest = value > f->highest ? value : f->highest;
    }
}

static bool in_time(const struct canvas *c, const struct chart_level *level)
{
    return level->from_us <= c->to_us && level->to_us >= c->from_us;
}

static bool has_bars(const struct chart_panel *panel)
{
    return panel->line_count > 0 && panel->lines[0].bar_us > 0;
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
    for (int i = 0; i < panel->level_count; i++) {
        if (in_time(c, &panel->levels[i])) {
            include_value(f, panel->levels[i].value);
        }
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
    double air = range * (has_bars(panel) ? 0.2 : 0.08); /* their values are written beside them */
    f->lowest -= panel->from_zero && f->lowest == 0 ? 0 : air;
    f->highest += panel->from_zero && f->highest == 0 ? 0 : air;
    double fits = (f->bottom - f->top) / (c->label * 2.4);
    f->step = chart_axis_step(f->highest - f->lowest, fmin(fmax(fits, 2), 6));
    f->step = panel->whole ? fmax(f->step, 1) : f->step;
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

/* The values that are written on the value axis, over its ticks. */
#define TAGS_MAX 6
struct tags {
    int count;
    struct tag {
        double value;
        double y;
        enum chart_colour colour;
    } items[TAGS_MAX];
};

static void add_tag(struct tags *tags, const struct frame *f, double value,
                    enum chart_colour colour)
{
    if (tags->count < TAGS_MAX && isfinite(value)) {
        tags->items[tags->count++] =
            (struct tag){.value = value, .y = place_y(f, value), .colour = colour};
    }
}

static double last_value(const struct chart *chart, const struct chart_line *line)
{
    for (int i = chart->count - 1; i >= 0; i--) {
        if (isfinite(line->values[i])) {
            return line->values[i];
        }
    }
    return (double)NAN;
}

static int from_top(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;
    return x->y < y->y ? -1 : x->y > y->y;
}

/* Sorted from the top, moved apart where they would collide, and kept inside the panel. */
static void find_tags(const struct canvas *c, const struct chart_panel *panel,
                      const struct frame *f, struct tags *tags)
{
    tags->count = 0;
    for (int l = 0; l < panel->line_count; l++) {
        if (panel->lines[l].tagged) {
            double value = last_value(c->chart, &panel->lines[l]);
            add_tag(tags, f, value,
                    panel->lines[l].bar_us > 0 && value < 0 ? panel->lines[l].below
                                                            : panel->lines[l].colour);
        }
    }
    for (int i = 0; i < panel->level_count; i++) {
        if (panel->levels[i].tagged && in_time(c, &panel->levels[i])) {
            add_tag(tags, f, panel->levels[i].value, panel->levels[i].colour);
        }
    }
    qsort(tags->items, (size_t)tags->count, sizeof(tags->items[0]), from_top);
    double apart = c->label * 1.45;
    for (int i = 1; i < tags->count; i++) {
        tags->items[i].y = fmax(tags->items[i].y, tags->items[i - 1].y + apart);
    }
    double limit = f->bottom;
    for (int i = tags->count - 1; i >= 0; i--) {
        tags->items[i].y = fmin(tags->items[i].y, limit);
        limit = tags->items[i].y - apart;
    }
}

static void tag_text(const struct chart_panel *panel, const struct frame *f, double value,
                     char text[CHART_NUMBER_SIZE])
{
    chart_axis_number(value, panel->whole ? f->step : f->step / 10, panel->unit, text);
}

static bool is_covered(const struct canvas *c, const struct tags *tags, double y)
{
    for (int i = 0; i < tags->count; i++) {
        if (fabs(tags->items[i].y - y) < c->label * 1.3) {
            return true;
        }
    }
    return false;
}

static void draw_value_axis(const struct canvas *c, const struct chart_panel *panel,
                            const struct frame *f, const struct tags *tags)
{
    set_font(c, c->label, false);
    for (double k = ceil(f->lowest / f->step); k * f->step <= f->highest; k++) {
        double y = place_y(f, k * f->step);
        char text[CHART_NUMBER_SIZE];
        chart_axis_number(k * f->step, f->step, panel->unit, text);
        set_colour(c, k == 0 ? c->look->faint_ink : c->look->grid, 1);
        cairo.set_line_width(c->cr, 1.6 * c->scale);
        cairo.move_to(c->cr, c->left, y);
        cairo.line_to(c->cr, c->right, y);
        cairo.stroke(c->cr);
        if (!is_covered(c, tags, y)) {
            set_colour(c, c->look->faint_ink, 1);
            draw_text(c, text, c->right + 10 * c->scale, y + c->label * 0.36, ALIGN_LEFT);
        }
    }
}

static void draw_tags(const struct canvas *c, const struct chart_panel *panel,
                      const struct frame *f, const struct tags *tags)
{
    set_font(c, c->label, true);
    for (int i = 0; i < tags->count; i++) {
        const struct tag *tag = &tags->items[i];
        char text[CHART_NUMBER_SIZE];
        tag_text(panel, f, tag->value, text);
        set_colour(c, of(c, tag->colour), 1);
        cairo.rectangle(c->cr, c->right + 2 * c->scale, tag->y - c->label * 0.66,
                        c->chart->width - c->right - 4 * c->scale, c->label * 1.32);
        cairo.fill(c->cr);
        set_colour(c, c->look->paper, 1);
        draw_text(c, text, c->right + 10 * c->scale, tag->y + c->label * 0.36, ALIGN_LEFT);
    }
}

/* The smallest step whose texts do not collide. */
static int64_t time_step(const struct canvas *c)
{
    int64_t span_us = c->to_us - c->from_us;
    size_t s = 0;
    for (; chart_axis_time_step(s + 1) != 0; s++) {
        double wide = text_width(c, chart_axis_widest(chart_axis_time_step(s))) * 1.4;
        double fits = fmin((c->right - c->left) / wide, TICKS_MAX);
        if ((double)span_us / (double)chart_axis_time_step(s) <= fits) {
            break;
        }
    }
    return chart_axis_time_step(s);
}

static void draw_time_axis(const struct canvas *c, const struct frame *frames)
{
    const struct chart *chart = c->chart;
    set_font(c, c->label, false);
    int64_t step_us = time_step(c);
    double y = frames[chart->panel_count - 1].bottom + c->label * 1.35;
    double free_x = 0; /* texts before it are drawn */
    int64_t at_us = chart_axis_tick(chart->zone, c->from_us, step_us);
    for (int i = 0; i < TICKS_MAX * 2 && at_us <= c->to_us; i++) {
        double x = place_x(c, at_us);
        char text[CHART_TIME_SIZE];
        chart_axis_time(chart->zone, at_us, step_us, text);
        set_colour(c, c->look->grid, 1);
        cairo.set_line_width(c->cr, 1.6 * c->scale);
        for (int p = 0; p < chart->panel_count; p++) {
            cairo.move_to(c->cr, x, frames[p].top);
            cairo.line_to(c->cr, x, frames[p].bottom);
        }
        cairo.stroke(c->cr);
        double half = text_width(c, text) / 2;
        /* The name of a day stands under its bar, not under the midnight before. */
        x = has_bars(&chart->panels[0]) && step_us >= USEC_PER_DAY
                ? place_x(c, at_us + USEC_PER_DAY / 2)
                : x;
        if (x - half >= free_x &&
            x + half <= (chart->zone_name == NULL ? chart->width : c->right)) {
            set_colour(c, c->look->faint_ink, 1);
            draw_text(c, text, x, y, ALIGN_MIDDLE);
            free_x = x + half + c->label * 0.6;
        }
        at_us = chart_axis_tick(chart->zone, at_us + 1, step_us);
    }
    if (chart->zone_name != NULL) {
        double room = chart->width - c->right - 14 * c->scale;
        set_colour(c, c->look->faint_ink, 1);
        fit_font(c, chart->zone_name, c->label, false, room);
        draw_text(c, chart->zone_name, c->right + 10 * c->scale, y, ALIGN_LEFT);
    }
}

/* ---------------------------------------------------------------- lines and marks */

/* Whether the line is interrupted before this point. */
static bool is_gap(const struct chart *chart, int i)
{
    return chart->gap_us > 0 && i > 0 && chart->at_us[i] - chart->at_us[i - 1] > chart->gap_us;
}

static void draw_gaps(const struct canvas *c, const struct frame *f)
{
    const char *text = "no data";
    set_font(c, c->label, false);
    for (int i = 1; i < c->chart->count; i++) {
        double from = place_x(c, c->chart->at_us[i - 1]), to = place_x(c, c->chart->at_us[i]);
        if (!is_gap(c->chart, i) || to - from < 2) {
            continue;
        }
        set_colour(c, c->look->shade, 1);
        cairo.rectangle(c->cr, from, f->top, to - from, f->bottom - f->top);
        cairo.fill(c->cr);
        if (text_width(c, text) + c->label < to - from) {
            set_colour(c, c->look->faint_ink, 1);
            draw_text(c, text, (from + to) / 2, f->top + c->label * 1.4, ALIGN_MIDDLE);
        }
    }
}

static void draw_dot(const struct canvas *c, double x, double y, double radius)
{
    cairo.new_sub_path(c->cr);
    cairo.arc(c->cr, x, y, radius, 0, 2 * acos(-1));
}

/* The points that fall into one column of pixels: their first, lowest, highest and last value make
 * the same picture as all of them. */
struct column {
    int x;
    int count;
    double first, lowest, highest, last; /* as y */
};

static void end_column(const struct canvas *c, const struct column *column)
{
    if (column->count > 1) {
        double x = column->x;
        cairo.line_to(c->cr, x, column->lowest);
        cairo.line_to(c->cr, x, column->highest);
        cairo.line_to(c->cr, x, column->last);
    }
}

struct pen {
    bool down;
    int run; /* points since it was set down */
    double x, y;
    struct column column;
};

static void pen_up(const struct canvas *c, struct pen *pen)
{
    if (pen->down) {
        end_column(c, &pen->column);
        if (pen->run == 1) { /* without a neighbour there is no line */
            draw_dot(c, pen->x, pen->y, 2.5 * c->scale);
        }
    }
    *pen = (struct pen){0};
}

static void pen_to(const struct canvas *c, struct pen *pen, double x, double y, bool stairs)
{
    struct column *column = &pen->column;
    int at = (int)x;
    if (pen->down && at == column->x && pen->run > 1) {
        column->count++;
        column->lowest = fmin(column->lowest, y);
        column->highest = fmax(column->highest, y);
        column->last = y;
    } else {
        if (pen->down) {
            end_column(c, column);
            if (stairs) {
                cairo.line_to(c->cr, x, pen->column.last);
            }
            cairo.line_to(c->cr, x, y);
        } else {
            cairo.move_to(c->cr, x, y);
        }
        *column =
            (struct column){.x = at, .count = 1, .first = y, .lowest = y, .highest = y, .last = y};
    }
    pen->down = true;
    pen->run++;
    pen->x = x;
    pen->y = y;
}

static void trace(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    const struct chart *chart = c->chart;
    struct pen pen = {0};
    for (int i = 0; i < chart->count; i++) {
        if (!isfinite(line->values[i]) || is_gap(chart, i)) {
            pen_up(c, &pen);
        }
        if (isfinite(line->values[i])) {
            pen_to(c, &pen, place_x(c, chart->at_us[i]), place_y(f, line->values[i]), line->stairs);
        }
    }
    pen_up(c, &pen);
}

/* Fills each uninterrupted stretch down to zero, or to the panel's edge. */
static void fill_line(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    const struct chart *chart = c->chart;
    double base = fmin(fmax(place_y(f, 0), f->top), f->bottom);
    int i = 0;
    while (i < chart->count) {
        if (!isfinite(line->values[i])) {
            i++;
            continue;
        }
        struct pen pen = {0};
        int first = i;
        do {
            pen_to(c, &pen, place_x(c, chart->at_us[i]), place_y(f, line->values[i]), line->stairs);
            i++;
        } while (i < chart->count && isfinite(line->values[i]) && !is_gap(chart, i));
        end_column(c, &pen.column);
        cairo.line_to(c->cr, place_x(c, chart->at_us[i - 1]), base);
        cairo.line_to(c->cr, place_x(c, chart->at_us[first]), base);
        cairo.close_path(c->cr);
    }
    set_colour(c, of(c, line->colour), 0.18);
    cairo.fill(c->cr);
}

static void draw_bars(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    double base = fmin(fmax(place_y(f, 0), f->top), f->bottom);
    double wide = (double)line->bar_us / (double)(c->to_us - c->from_us) * (c->right - c->left);
    wide = fmax(wide, 1);
    bool has_texts = wide > c->label * 2;
    set_font(c, c->label * 0.9, true);
    for (int i = 0; i < c->chart->count; i++) {
        double value = line->values[i];
        if (!isfinite(value) || value == 0) {
            continue;
        }
        double x = place_x(c, c->chart->at_us[i]), y = place_y(f, value);
        set_colour(c, of(c, value < 0 ? line->below : line->colour), 1);
        cairo.rectangle(c->cr, x - wide / 2, fmin(y, base), wide, fmax(fabs(y - base), 1));
        cairo.fill(c->cr);
        if (has_texts) {
            char text[CHART_NUMBER_SIZE];
            chart_axis_number(value, f->step / 10, NULL, text);
            double most = wide * 1.35;
            fit_font(c, text, c->label * 0.9, true, most);
            draw_text(c, text, x, value < 0 ? y + c->label * 0.95 : y - c->label * 0.25,
                      ALIGN_MIDDLE);
        }
    }
}

static void draw_line(const struct canvas *c, const struct frame *f, const struct chart_line *line)
{
    if (line->bar_us > 0) {
        draw_bars(c, f, line);
        return;
    }
    if (line->filled) {
        fill_line(c, f, line);
    }
    trace(c, f, line);
    set_colour(c, of(c, line->colour), 1);
    cairo.set_line_width(c->cr, 3.2 * c->scale);
    cairo.stroke(c->cr);
    int last = c->chart->count - 1;
    while (last > 0 && !isfinite(line->values[last])) {
        last--;
    }
    if (line->tagged && isfinite(line->values[last])) {
        draw_dot(c, place_x(c, c->chart->at_us[last]), place_y(f, line->values[last]),
                 5 * c->scale);
        cairo.fill(c->cr);
    }
}

static void draw_level(const struct canvas *c, const struct frame *f,
                       const struct chart_level *level)
{
    if (!in_time(c, level) || !isfinite(level->value)) {
        return;
    }
    const double dash[] = {9 * c->scale, 6 * c->scale};
    double y = place_y(f, level->value);
    double from = fmax(place_x(c, level->from_us), c->left);
    double to = fmin(place_x(c, level->to_us), c->right);
    set_colour(c, of(c, level->colour), 1);
    cairo.set_line_cap(c->cr, CAIRO_LINE_CAP_BUTT);
    cairo.set_dash(c->cr, dash, 2, 0);
    cairo.set_line_width(c->cr, 2.6 * c->scale);
    cairo.move_to(c->cr, from, y);
    cairo.line_to(c->cr, fmax(to, from + 12 * c->scale), y);
    cairo.stroke(c->cr);
    cairo.set_dash(c->cr, NULL, 0, 0);
    cairo.set_line_cap(c->cr, CAIRO_LINE_CAP_ROUND);
}

/* The more marks, the smaller they are, so that the line stays visible. */
static double mark_size(const struct canvas *c, int count)
{
    double size = 15 * sqrt(30.0 / (count > 30 ? count : 30));
    return fmax(size, 6) * c->scale;
}

static void draw_shape(const struct canvas *c, enum chart_shape shape, struct colour colour,
                       double x, double y, double size)
{
    double tip = shape == CHART_UP ? -1 : 1;
    switch (shape) {
    case CHART_UP:
    case CHART_DOWN:
        cairo.move_to(c->cr, x, y + tip * size);
        cairo.line_to(c->cr, x - size * 0.9, y - tip * size * 0.7);
        cairo.line_to(c->cr, x + size * 0.9, y - tip * size * 0.7);
        cairo.close_path(c->cr);
        break;
    case CHART_DOT:
        draw_dot(c, x, y, size * 0.68);
        break;
    case CHART_CROSS:
    case CHART_DASH: {
        double arm = size * 0.62;
        cairo.move_to(c->cr, x - arm, shape == CHART_DASH ? y : y - arm);
        cairo.line_to(c->cr, x + arm, shape == CHART_DASH ? y : y + arm);
        if (shape == CHART_CROSS) {
            cairo.move_to(c->cr, x - arm, y + arm);
            cairo.line_to(c->cr, x + arm, y - arm);
        }
        set_colour(c, colour, 1);
        cairo.set_line_width(c->cr, size * 0.36);
        cairo.stroke(c->cr);
        return;
    }
    }
    set_colour(c, colour, 1);
    cairo.fill_preserve(c->cr);
    set_colour(c, c->look->paper, 1);
    cairo.set_line_width(c->cr, size * 0.14);
    cairo.stroke(c->cr);
}

/* One mark of a shape in a cell of the grid hides the others: they would be drawn over it. */
#define CELL 4
struct taken {
    unsigned char *cells;
    int columns, rows;
};

static bool take_cell(struct taken *taken, enum chart_shape shape, double x, double y)
{
    int column = (int)x / CELL, row = (int)y / CELL;
    if (column < 0 || row < 0 || column >= taken->columns || row >= taken->rows) {
        return false;
    }
    unsigned char *cell = &taken->cells[row * taken->columns + column];
    bool is_free = (*cell & 1U << shape) == 0;
    *cell = (unsigned char)(*cell | 1U << shape);
    return is_free;
}

static void draw_marks(const struct canvas *c, const struct chart_panel *panel,
                       const struct frame *f)
{
    if (panel->mark_count == 0) {
        return;
    }
    struct taken taken = {.columns = c->chart->width / CELL + 1,
                          .rows = c->chart->height / CELL + 1};
    taken.cells = calloc((size_t)taken.columns * (size_t)taken.rows, 1);
    ASSERT(taken.cells != NULL);
    double size = mark_size(c, panel->mark_count);
    for (int i = 0; i < panel->mark_count; i++) {
        const struct chart_mark *mark = &panel->marks[i];
        if (!isfinite(mark->value) || mark->at_us < c->from_us || mark->at_us > c->to_us) {
            continue;
        }
        double x = place_x(c, mark->at_us), y = place_y(f, mark->value);
        if (take_cell(&taken, mark->shape, x, y)) {
            draw_shape(c, mark->shape, of(c, mark->colour), x, y, size);
        }
    }
    free(taken.cells);
}

static void draw_key(const struct canvas *c, const struct chart_key *key, double *x, double y)
{
    double middle = y - c->label * 0.34;
    double size = c->label * 0.52;
    *x += size;
    draw_shape(c, key->shape, of(c, key->colour), *x, middle, size);
    *x += size + c->label * 0.2;
    set_font(c, c->label, false);
    set_colour(c, c->look->faint_ink, 1);
    draw_text(c, key->name, *x, y, ALIGN_LEFT);
    *x += text_width(c, key->name) + c->label * 0.7;
}

static void draw_panel_title(const struct canvas *c, const struct chart_panel *panel, double y)
{
    set_font(c, c->label, true);
    set_colour(c, c->look->ink, 1);
    draw_text(c, panel->title, c->left, y, ALIGN_LEFT);
    double x =
        c->left + (panel->title[0] == '\0' ? 0 : text_width(c, panel->title) + c->label * 0.9);
    for (int l = 0; l < panel->line_count; l++) {
        const struct chart_line *line = &panel->lines[l];
        if (line->name != NULL) {
            draw_key(c, &(struct chart_key){CHART_DASH, line->colour, line->name}, &x, y);
        }
    }
    for (int k = 0; k < panel->key_count; k++) {
        draw_key(c, &panel->keys[k], &x, y);
    }
}

static void draw_panel(const struct canvas *c, const struct chart_panel *panel,
                       const struct frame *f, const struct tags *tags)
{
    draw_value_axis(c, panel, f, tags);
    cairo.save(c->cr);
    double out = 10 * c->scale; /* so that marks on the edge are not clipped */
    cairo.rectangle(c->cr, c->left - out, f->top - out, c->right - c->left + 2 * out,
                    f->bottom - f->top + 2 * out);
    cairo.clip(c->cr);
    for (int l = 0; l < panel->line_count; l++) {
        draw_line(c, f, &panel->lines[l]);
    }
    for (int i = 0; i < panel->level_count; i++) {
        draw_level(c, f, &panel->levels[i]);
    }
    draw_marks(c, panel, f);
    cairo.restore(c->cr);
    draw_tags(c, panel, f, tags);
}

/* ---------------------------------------------------------------- chart */

/* Returns the y at which the panels begin. */
static double draw_head(const struct canvas *c)
{
    double y = MARGIN * c->scale;
    double room = c->chart->width - 2 * MARGIN * c->scale;
    if (c->chart->title != NULL) {
        fit_font(c, c->chart->title, c->title, true, room);
        set_colour(c, c->look->ink, 1);
        y += c->title * 0.8;
        draw_text(c, c->chart->title, c->left, y, ALIGN_LEFT);
    }
    struct str rest = str_c(c->chart->subtitle), line;
    while (str_split(&rest, '\n', &line)) {
        char text[256];
        (void)str_copy(line, text, sizeof(text));
        fit_font(c, text, c->subtitle, false, room);
        set_colour(c, c->look->faint_ink, 1);
        y += c->subtitle * 1.45;
        draw_text(c, text, c->left, y, ALIGN_LEFT);
    }
    return y + 14 * c->scale;
}

/* The width of the value axis: that of its widest number. */
static double axis_width(const struct canvas *c, const struct frame *frames,
                         const struct tags *tags)
{
    double widest = 0;
    for (int p = 0; p < c->chart->panel_count; p++) {
        const struct frame *f = &frames[p];
        const struct chart_panel *panel = &c->chart->panels[p];
        char text[CHART_NUMBER_SIZE];
        set_font(c, c->label, false);
        for (double k = ceil(f->lowest / f->step); k * f->step <= f->highest; k++) {
            chart_axis_number(k * f->step, f->step, panel->unit, text);
            widest = fmax(widest, text_width(c, text));
        }
        set_font(c, c->label, true);
        for (int i = 0; i < tags[p].count; i++) {
            tag_text(panel, f, tags[p].items[i].value, text);
            widest = fmax(widest, text_width(c, text));
        }
    }
    return widest + 16 * c->scale;
}

static double title_height(const struct canvas *c, const struct chart_panel *panel)
{
    bool is_bare = panel->title[0] == '\0' && panel->key_count == 0;
    return c->label * (is_bare ? 0.7 : 2.0);
}

static struct canvas canvas_of(cairo_t *cr, const struct chart *chart)
{
    double scale = chart->width / REFERENCE;
    double text = chart->text_scale > 0 ? chart->text_scale : 1;
    bool has_ends = chart->from_us != 0 || chart->to_us != 0;
    return (struct canvas){.chart = chart,
                           .look = &looks[chart->theme],
                           .cr = cr,
                           .scale = scale,
                           .label = LABEL_SIZE * scale * text,
                           .subtitle = SUBTITLE_SIZE * scale * fmin(text, 1.7),
                           .title = TITLE_SIZE * scale * fmin(text, 1.45),
                           .left = MARGIN * scale,
                           .from_us = has_ends ? chart->from_us : chart->at_us[0],
                           .to_us = has_ends ? chart->to_us : chart->at_us[chart->count - 1]};
}

static void draw(cairo_t *cr, const struct chart *chart)
{
    struct canvas c = canvas_of(cr, chart);
    set_colour(&c, c.look->paper, 1);
    cairo.paint(cr);
    cairo.set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo.set_line_cap(cr, CAIRO_LINE_CAP_ROUND);

    double head = draw_head(&c);
    double foot = chart->height - c.label * 2.0;
    double weights = 0;
    for (int p = 0; p < chart->panel_count; p++) {
        weights += chart->panels[p].weight;
    }
    struct frame frames[CHART_PANELS_MAX];
    struct tags tags[CHART_PANELS_MAX];
    double titles = 0;
    for (int p = 0; p < chart->panel_count; p++) {
        titles += title_height(&c, &chart->panels[p]);
    }
    double free_height = fmax(foot - head - titles, 10);
    double y = head;
    for (int p = 0; p < chart->panel_count; p++) {
        struct frame *f = &frames[p];
        f->top = y + title_height(&c, &chart->panels[p]);
        f->bottom = f->top + free_height * chart->panels[p].weight / weights;
        y = f->bottom;
        find_range(&c, &chart->panels[p], f);
        find_tags(&c, &chart->panels[p], f, &tags[p]);
    }
    c.right = chart->width - axis_width(&c, frames, tags) - MARGIN * 0.3 * c.scale;
    for (int p = 0; p < chart->panel_count; p++) {
        draw_panel_title(&c, &chart->panels[p], frames[p].top - c.label * 0.6);
        draw_gaps(&c, &frames[p]);
    }
    if (chart->panel_count > 0) {
        draw_time_axis(&c, frames);
    }
    for (int p = 0; p < chart->panel_count; p++) {
        draw_panel(&c, &chart->panels[p], &frames[p], &tags[p]);
    }
}

int chart_png(const struct chart *chart, struct buf *out, struct err *err)
{
    ASSERT(chart->width >= CHART_SIZE_MIN && chart->width <= CHART_SIZE_MAX &&
           chart->height >= CHART_SIZE_MIN && chart->height <= CHART_SIZE_MAX &&
           chart->count >= 1 && chart->panel_count >= 0 && chart->panel_count <= CHART_PANELS_MAX &&
           chart->from_us <= chart->to_us);
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
        cairo.surface_flush(surface);
        rc = png_write(
            &(struct png_pixels){.width = chart->width,
                                 .height = chart->height,
                                 .stride = (size_t)cairo.image_surface_get_stride(surface),
                                 .at = cairo.image_surface_get_data(surface)},
            out, err);
    } else {
        rc = err_set(err, ERR_INTERNAL, "cairo: %s", cairo.status_to_string(status));
    }
    cairo.surface_destroy(surface);
    return rc;
}
