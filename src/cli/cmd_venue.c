#include "base/buf.h"
#include "cli_internal.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "model/settings.h"
#include "venue/venue.h"
#include "venue/venue_check.h"

#include <string.h>

#define TEXT_MAX ((size_t)64 << 10)

struct table {
    struct buf text;
    struct json_object *rows;
};

static const char *result_name(enum venue_check_result result)
{
    switch (result) {
    case VENUE_CHECK_FINE:
        return "ok";
    case VENUE_CHECK_NOTE:
        return "note";
    case VENUE_CHECK_BAD:
        return "bad";
    }
    return "bad";
}

static void on_row(const struct venue_check_row *row, void *userdata)
{
    struct table *table = userdata;
    buf_addf(&table->text, "%-5s %-12s %s\n", result_name(row->result), row->what, row->text);
    struct json_object *item = json_object_new_object();
    json_object_object_add(item, "result", json_object_new_string(result_name(row->result)));
    json_object_object_add(item, "what", json_object_new_string(row->what));
    json_object_object_add(item, "text", json_object_new_string(row->text));
    json_object_array_add(table->rows, item);
}

/* NAME is for people: it must be the venue of the configuration, whose key is used. */
static int check_name(const struct cli_args *args, const struct venue_settings *settings,
                      struct err *err)
{
    if (strcmp(args->word[0], "check") != 0) {
        return err_set(err, ERR_CLI_USAGE, "venue %.40s; it takes check", args->word[0]);
    }
    if (args->word_count > 1 && strcmp(args->word[1], settings->name) != 0) {
        return err_set(err, ERR_CLI_USAGE, "venue.name is %s, not %.40s", settings->name,
                       args->word[1]);
    }
    if (!venue_is_real(settings)) {
        return err_set(err, ERR_CLI_USAGE, "venue.name is paper, which has nothing to check");
    }
    return 0;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    struct settings settings;
    struct venue_settings venue;
    if (cli_load_config(args, &config, &err) < 0 || secret_init(&err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    config_settings(config, &settings);
    config_venue(config, &venue);
    if (check_name(args, &venue, &err) < 0 || venue_check_settings(&venue, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    struct table table = {.rows = json_object_new_array()};
    buf_init(&table.text, TEXT_MAX);
    int rc = venue_check_run(&(struct venue_check){.settings = &venue,
                                                   .symbols = settings.symbols,
                                                   .count = settings.symbol_count,
                                                   .capital = settings.initial_cash,
                                                   .on_row = on_row,
                                                   .userdata = &table},
                             &err);
    if (rc >= 0 && cli_flag(args, "--json")) {
        buf_clear(&table.text);
        buf_addf(&table.text, "{\"venue\":\"%s\",\"mode\":\"%s\",\"rows\":", venue.name,
                 config->venue_mode);
        json_add_text(&table.text, table.rows);
        buf_add_c(&table.text, "}\n");
    }
    if (rc >= 0) {
        cli_print(buf_str(&table.text));
    }
    (void)json_object_put(table.rows);
    buf_release(&table.text);
    return rc < 0 ? cli_fail(args, &err, CLI_CRITICAL) : rc > 0 ? CLI_REFUSED : CLI_FINE;
}

const struct cli_command cmd_venue = {
    .name = "venue",
    .summary = "Check the key, its rights, the clock, symbols and account of a real venue",
    .words = "check [NAME]",
    .words_min = 1,
    .words_max = 2,
    .options = {CLI_OPTION_JSON, CLI_OPTION_CONFIG},
    .more = "The venue, its mode, key and symbols are those of the configuration. It only reads:\n"
            "no order is sent. Do this before the first start with a new key.",
    .exits = "  0  nothing is bad\n"
             "  1  at least one row is bad: nothing is traded so\n"
             "  2  wrong usage or configuration\n",
    .run = run,
};
