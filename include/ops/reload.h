/*
 * reload.h: the configuration of the running process: reads it again at SIGHUP and for the command
 * reload, changes options in its file or all of it, checks it, shows the difference, stores the new
 * version and hands it to the modules.
 *
 *     struct reload *reload = reload_new(&(struct reload_options){.config = config, ...});
 *     reload_actions(reload, table);         // config.*, risk.set, token.rotate
 *     reload_started(reload);                    // once, when the modules stand
 *     reload_signal(reload);                     // SIGHUP
 *
 * Always true: a configuration is read, checked and stored as a whole before any module sees it; if
 * one of these fails, nothing changes. What needs a restart keeps its value: reload_config is what
 * runs now. The configuration before is freed only after every module has the new one. While ops.db
 * cannot be written nothing is applied: a command is refused, a signal waits. A file that cannot be
 * used raises one alert (CONFIG_ALERT); the next one that can be used resolves it. What is applied
 * by a confirmed command is what its prompt showed.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "command/action.h"
#include "config/config.h"
#include "io/json.h"

#include <stdbool.h>

struct access;
struct alerts;
struct clock;
struct config_limit;
struct loop;
struct ops_store;
struct pool;
struct reload;
struct telegram_rotation;

#define CONFIG_ALERT "config:invalid"

struct reload_options {
    const struct config *config;         /* of the start; belongs to the caller */
    const struct config_options *source; /* NULL: nothing to read again */
    struct loop *loop;
    const struct clock *clock;
    struct ops_store *store;
    struct alerts *alerts;
    struct access *access;
    /* Hands a new configuration to every module, and to the engine. Cannot fail. */
    void (*apply)(const struct config *before, const struct config *config, void *userdata);
    /* Reads the files beside the configuration again, changed or not: the user's own commands.
     * Returns the number of those that cannot be used; each was reported. */
    int (*files)(const struct config *config, void *userdata);
    struct pool *helpers; /* write the file */
    /* A new bot token for the running Telegram channel; as telegram_rotate. */
    int (*rotate)(const struct telegram_rotation *rotation, void *userdata, struct err *err);
    void (*rotate_cancel)(void *userdata);
    /* From the next apply on, the token of the API before it is accepted until then (wall clock).
     */
    void (*api_grace)(int64_t until_us, void *userdata);
    /* Adds to a reply what a limit means now, such as how much of it is used. May be NULL. */
    void (*limit_use)(const struct config_limit *limit, struct reply *reply, void *userdata);
    /* A reload begins or has ended; tells the service manager. */
    void (*busy)(bool begins, void *userdata);
    void *userdata;
};

struct reload *reload_new(const struct reload_options *options); /* never NULL */
void reload_free(struct reload *reload); /* after the modules: frees what runs now */
/* What runs now. Valid until the next apply() returns. */
const struct config *reload_config(const struct reload *reload);
/* Stores the version of the start if it is another one than the last that was stored. */
void reload_started(struct reload *reload);
void reload_actions(struct reload *reload, struct action_table *table);
#define RELOAD_TEXT_MAX ((size_t)256 * 1024)
/* Keeps the text of a whole configuration for config.apply, config.diff and config.validate, which
 * name it by its hash: for some minutes, in memory only, since it may hold secrets. A few are kept;
 * one more takes the place of the oldest. */
int reload_offer(struct reload *reload, struct str text, char ret_hash[65], struct err *err);
/* What cannot be stored is repeated until it can. */
void reload_signal(struct reload *reload);
/* A desk_status_fn; userdata is the reload. Adds a line while the file cannot be used, or has
 * changes that need a restart. */
void reload_status(struct buf *out, struct json_object *data, void *reload);
