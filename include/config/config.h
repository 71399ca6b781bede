/*
 * config.h: the configuration as one immutable value, defined by options.def.
 *
 *     struct config *config = NULL;
 *     struct config_problems problems = {0};
 *     rc = config_load(&(struct config_options){.path = path}, &config, &problems, err);
 *     poll_every(config->monitoring_check_interval_us);
 *     config_free(config);
 *
 * Sources, later ones win: defaults of the table; the YAML file; for secrets, files in
 * $CREDENTIALS_DIRECTORY (systemd's LoadCredential) named after the option path. In defaults and in
 * every scalar of the file, ${NAME} is replaced by the environment variable, ${NAME:-text} by text
 * if the variable is unset or empty; $${ is a literal ${. In a secret, NAME may also be a file in
 * $CREDENTIALS_DIRECTORY or a sealed secret (unseal.h), in this order.
 * Invariants: a loaded configuration has passed every check. A failed load leaves *ret unchanged
 * and reports all problems (up to CONFIG_PROBLEMS_MAX), each with file:line:column, what was
 * expected, and the nearest valid name. No message contains the value of a secret; config_load
 * registers secrets with log_hide. An empty value (null) is the same as none.
 * Ownership: every text belongs to the config.
 * Reload: load the file again, config_diff for what changes, config_keep_running, then each
 * module's own apply. A configuration that is in use is never changed. Thread: load on the main
 * thread, or on the ops thread for a reload; then read-only from any.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/err.h"
#include "model/capacity.h"
#include "model/settings.h"
#include "model/symbol.h"
#include "model/venue_settings.h"

#include <stdbool.h>
#include <stdint.h>

/* Each option has exactly one of CONFIG_RESTART and CONFIG_LIVE; a limit of risk also has where
 * values allow more risk than the current one: above it, below it, or on either side. No command
 * changes one that is CONFIG_FILE_ONLY. */
enum config_flag {
    CONFIG_RESTART = 1,
    CONFIG_LIVE = 2,
    CONFIG_MORE_ABOVE = 4,
    CONFIG_MORE_BELOW = 8,
    CONFIG_FILE_ONLY = 16,
    CONFIG_RISK_UP = CONFIG_LIVE | CONFIG_MORE_ABOVE,
    CONFIG_RISK_DOWN = CONFIG_LIVE | CONFIG_MORE_BELOW,
    CONFIG_RISK_EITHER = CONFIG_LIVE | CONFIG_MORE_ABOVE | CONFIG_MORE_BELOW
};

#define CONFIG_LIST_MAX     64
#define CONFIG_TEXTS_MAX    SYMBOLS_LIMIT
#define CONFIG_USERS_MAX    64
#define CONFIG_LOCALS_MAX   64
#define CONFIG_SERVICES_MAX 512
#define CONFIG_CHECKS_MAX   16 /* of one service */

struct config_ints {
    int count;
    int64_t items[CONFIG_LIST_MAX];
};
struct config_texts {
    int count;
    const char **items; /* count, then NULL, so usable as argv; NULL only with a count of 0 */
};
struct config_symbols {
    int count;
    struct symbol items[SYMBOLS_LIMIT];
};

/* The C type of each option type. ENUM holds one of its words. Texts are never NULL. FLOAT and
 * PERCENT are plain numbers (2.0 is 2 %); DURATION is in microseconds. */
#define CONFIG_DECLARE_TEXT(name)     const char *name;
#define CONFIG_DECLARE_SECRET(name)   const char *name;
#define CONFIG_DECLARE_URL(name)      const char *name;
#define CONFIG_DECLARE_ENUM(name)     const char *name;
#define CONFIG_DECLARE_INT(name)      int64_t name;
#define CONFIG_DECLARE_BOOL(name)     bool name;
#define CONFIG_DECLARE_FLOAT(name)    double name;
#define CONFIG_DECLARE_PERCENT(name)  double name##_pct;
#define CONFIG_DECLARE_DURATION(name) int64_t name##_us;
#define CONFIG_DECLARE_MONEY(name)    struct dec name;
#define CONFIG_DECLARE_INTS(name)     struct config_ints name;
#define CONFIG_DECLARE_TEXTS(name)    struct config_texts name;
#define CONFIG_DECLARE_SYMBOLS(name)  struct config_symbols name;

/* id, name, role, emergency. telegram.admin_users are added, as admin with emergency. */
struct config_user {
#define GROUP(group, help)
#define OPT(group, name, type, fallback, minimum, maximum, unit, flags, help)
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    CONFIG_USER_FIELD_##owner(type, name)
#define CONFIG_USER_FIELD_user(type, name) CONFIG_DECLARE_##type(name)
#define CONFIG_USER_FIELD_local(type, name)
#define CONFIG_USER_FIELD_service(type, name)
#define CONFIG_USER_FIELD_check(type, name)
#include "config/options.def"
#undef FIELD
};

/* uid, name, role, emergency: a user of the Unix socket, besides root and the daemon's user. */
struct config_local {
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    CONFIG_LOCAL_FIELD_##owner(type, name)
#define CONFIG_LOCAL_FIELD_local(type, name) CONFIG_DECLARE_##type(name)
#define CONFIG_LOCAL_FIELD_user(type, name)
#define CONFIG_LOCAL_FIELD_service(type, name)
#define CONFIG_LOCAL_FIELD_check(type, name)
#include "config/options.def"
#undef FIELD
};

/* A check of a service, besides those of its unit, command and url: services.<name>.checks.<check>.
 * Exactly one of unit, url, tcp, command, file, process and heartbeat_us is set; it is the kind. */
struct config_check {
    char name[32]; /* [a-z0-9_-] */
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    CONFIG_CHECK_FIELD_##owner(type, name)
#define CONFIG_CHECK_FIELD_check(type, name) CONFIG_DECLARE_##type(name)
#define CONFIG_CHECK_FIELD_user(type, name)
#define CONFIG_CHECK_FIELD_local(type, name)
#define CONFIG_CHECK_FIELD_service(type, name)
#include "config/options.def"
#undef FIELD
};

/* At most one of unit and command is set; with neither, the service is only watched: it has a url
 * or at least one check. If the first word of a command was `self`, it has been replaced by the
 * path of the running program. */
struct config_service {
    char name[32]; /* [a-z0-9_-] */
    int line;      /* in the file; 0: not from one */
    int check_count;
    struct config_check *checks; /* owned by the configuration; NULL: none */
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help) \
    CONFIG_SERVICE_FIELD_##owner(type, name)
#define CONFIG_SERVICE_FIELD_service(type, name) CONFIG_DECLARE_##type(name)
#define CONFIG_SERVICE_FIELD_user(type, name)
#define CONFIG_SERVICE_FIELD_local(type, name)
#define CONFIG_SERVICE_FIELD_check(type, name)
#include "config/options.def"
#undef FIELD
#undef OPT
};

struct config_detail; /* texts, and the origin of each value */

/* One field for each option: telegram.bot_token is telegram_bot_token, monitoring.check_interval is
 * monitoring_check_interval_us, risk.stop is risk_stop_pct. See options.def. */
struct config {
#define FIELD(owner, name, type, fallback, minimum, maximum, unit, flags, help)
#define OPT(group, name, type, fallback, minimum, maximum, unit, flags, help) \
    CONFIG_DECLARE_##type(group##_##name)
#include "config/options.def"
#undef OPT
#undef FIELD
#undef GROUP
    int user_count;
    struct config_user users[CONFIG_USERS_MAX];
    int local_count;
    struct config_local locals[CONFIG_LOCALS_MAX];
    int service_count;
    struct config_service *services; /* owned; NULL: none */
    struct config_detail *detail;
};

struct unseal;

struct config_options {
    const char *path; /* NULL: ./nightdesk.yaml if it exists, else
                       * /etc/nightdesk/nightdesk.yaml if it exists, else no file */
    const struct str
        *text;             /* NULL: the file is read; else what a reload would read. Needs a path */
    bool no_file;          /* embedded defaults only */
    bool again;            /* a reload: the file may be in the middle of an edit, so an empty one is
                            * refused; it is not taken for the defaults */
    bool without_secrets;  /* the caller uses none: one whose variable is not set stays empty */
    struct unseal *unseal; /* NULL: no sealed secrets */
};

#define CONFIG_PROBLEMS_MAX 20

struct config_problems {
    int count;
    int more; /* problems beyond the maximum */
    struct err items[CONFIG_PROBLEMS_MAX];
};

/* problems may be NULL; *err is the first of them. The caller frees *ret. */
int config_load(const struct config_options *options, struct config **ret,
                struct config_problems *problems, struct err *err);
/* The same from text; `name` is the file name in messages. Does not register secrets with log_hide,
 * because the result may only be checked, not used. */
int config_parse(struct str text, const char *name, struct config **ret,
                 struct config_problems *problems, struct err *err);
void config_free(struct config *config);

static inline void config_cleanup(struct config **slot)
{
    config_free(*slot);
}
#define AUTO_CONFIG __attribute__((cleanup(config_cleanup)))

/* Path of the file that was read; "" if there was none. */
const char *config_path(const struct config *config);
/* Appends "nightdesk.yaml:12:3: risk.stop", or only the option path if the file does not set it. */
void config_add_place(const struct config *config, const char *path, struct buf *out);
/* Parses an item of market.files, "SYMBOL=path", with unit 1; false if malformed. */
bool config_market_file(const char *text, struct market_file *ret);
/* Parses an item of market.file_units, "SYMBOL=1000"; false if malformed. */
bool config_market_unit(const char *text, struct symbol *ret, int *ret_unit);
/* An item of venue.reserved: "BTC=0.5". */
bool config_reserved_coin(const char *text, struct reserved_coin *ret);
/* Fills the settings of the engine. */
void config_settings(const struct config *config, struct settings *ret);
/* The venue's part. */
void config_venue(const struct config *config, struct venue_settings *ret);
/* Those of market.source live. */
void config_live(const struct config *config, struct live_plan *ret);
/* Parses an item of market.venues, "SYMBOL=venue"; false if malformed. */
bool config_market_venue(const char *text, struct symbol *ret, char ret_venue[16]);
/* The address of a venue in market.venue_urls or market.venue_stream_urls; NULL: there is none. */
const char *config_venue_url(const struct config_texts *list, const char *venue);
/* The key for the prices of this venue; "" if there is none. Valid as long as config. */
void config_price_key(const struct config *config, const char *venue, const char **ret_id,
                      const char **ret_secret);
/* Whether the file or a default contains ${NAME} or ${NAME:-…}. */
bool config_refers_to(const struct config *config, struct str name);
/* NULL if there is no service of this name. */
const struct config_service *config_service(const struct config *config, struct str name);

/* ---- blue/green (config_colour.c): a service whose unit is a template, such as web@.service. Its
 * colours are the two instances that a deploy switches between. */
#define CONFIG_COLOUR_SIZE 24
#define CONFIG_UNIT_SIZE   (128 + CONFIG_COLOUR_SIZE)

bool config_has_colours(const struct config_service *service);
bool config_colour_is_valid(struct str name);
const char *config_colour(const struct config_service *service, int index); /* 0 or 1 */
/* The colour that is not live; the first one if live is none of them. */
const char *config_idle_colour(const struct config_service *service, const char *live);
/* "web@blue.service"; without colours, or with the colour "", the unit as it is configured. */
void config_unit_of(const struct config_service *service, const char *colour,
                    char ret[CONFIG_UNIT_SIZE]);
/* Appends text, with the colour for each %i. */
void config_add_coloured(const char *text, const char *colour, struct buf *out);

#define CONFIG_CHANGES_MAX 200

/* One difference between two configurations. */
struct config_change {
    char path[128];   /* "risk.stop", "telegram.users.alice.role", "services.demo" */
    bool live;        /* takes effect in a running nightdesk; else at the next start */
    bool file_only;   /* CONFIG_FILE_ONLY, a secret, or a person or service as a whole */
    char before[120]; /* as in the file, or "none"; a secret as "***"; a long text ends with … */
    char after[120];
};

struct config_diff {
    int live; /* the number of differences of each kind */
    int restart;
    int file_only; /* of both kinds */
    int count;     /* of items; smaller than live + restart if there are too many */
    struct config_change items[CONFIG_CHANGES_MAX];
};

/* The differences option by option. People are compared by id, services by name. */
void config_diff(const struct config *before, const struct config *after, struct config_diff *ret);
/* The same of two stored texts (config_text), whose secrets are not known; value by value, so that
 * a text of an earlier release, with other options, can be compared. */
int config_text_diff(struct str before, struct str after, struct config_diff *ret, struct err *err);
/* Replaces the values of the options that need a restart by the running ones, so that *fresh is
 * what a running nightdesk can apply now. For a configuration that nobody uses yet. After a failure
 * it cannot be used. except: the path of an option that keeps its fresh value, because the caller
 * applies it by other means; NULL: none. */
int config_keep_running(struct config *fresh, const struct config *running, const char *except,
                        struct err *err);

/* Calls fn with each secret that is not empty. */
void config_each_secret(const struct config *config,
                        void (*fn)(const char *path, const char *value, void *userdata),
                        void *userdata);

/* The whole configuration as YAML, secrets as ***, with the origin of each value as a comment. */
void config_dump(const struct config *config, struct buf *out);
/* The same without the comments: equal for equal values, wherever they come from. */
void config_text(const struct config *config, struct buf *out);
/* Generated from the table alone: JSON Schema (2020-12), docs/config.md, the commented example. */
void config_write_schema(struct buf *out);
void config_write_markdown(struct buf *out);
void config_write_example(struct buf *out);
void config_write_man(struct buf *out); /* nightdesk.yaml(5) */
