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
    bool as_json;
    struct json_out json;
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
    if (!table->as_json) {
        buf_addf(&table->text, "%-5s %-12s %s\n", result_name(row->result), row->what, row->text);
        return;
    }
    json_out_object(&table->json, NULL);
    json_out_text(&table->json, "result", result_name(row->result));
    json_out_text(&table->json, "what", row->what);
    json_out_text(&table->json, "text", row->text);
    json_out_end(&table->json);
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
    struct table table = {.as_json = cli_flag(args, "--json")};
    buf_init(&table.text, TEXT_MAX);
    table.json = (struct json_out)JSON_OUT(&table.text);
    if (table.as_json) {
        json_out_document(&table.json, "nightdesk.venue_check/1");
        json_out_text(&table.json, "venue", venue.name);
        json_out_text(&table.json, "mode", config->venue_mode);
        json_out_array(&table.json, "rows");
    }
    int rc = venue_check_run(&(struct venue_check){.settings = &venue,
                                                   .symbols = settings.symbols,
                                                   .count = settings.symbol_count,
                                                   .capital = settings.initial_cash,
                                                   .on_row = on_row,
                                                   .userdata = &table},
                             &err);
    if (table.as_json) {
        json_out_end(&table.json);
        json_out_end(&table.json);
        buf_add_char(&table.text, '\n');
    }
    if (rc >= 0) {
        cli_print(buf_str(&table.text));
    }
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
