#include "store/trading.h"

#include "base/check.h"
#include "row.h"
#include "store/state_table.h"

#include <string.h>

enum {
    TRADING_APPLICATION_ID = 0x4e447472, /* "NDtr" */
    TRADING_BUSY_MS = 250
};
#define SCRATCH_MAX ((size_t)32 * 1024)
#define RECORDED    "recorded" /* a blob */

/* Orders, fills and positions have two sets of tables: the engine's and the paper venue's. */
#define ORDER_COLUMNS                                                                 \
    "(client_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, kind TEXT NOT NULL,"          \
    " side TEXT NOT NULL, state TEXT NOT NULL, qty INTEGER, reference_price INTEGER," \
    " stop INTEGER, target INTEGER, filled_qty INTEGER, average_price INTEGER,"       \
    " decision_id INTEGER NOT NULL, created_us INTEGER NOT NULL,"                     \
    " updated_us INTEGER NOT NULL, reason TEXT NOT NULL);"
#define FILL_COLUMNS                                                                    \
    "(id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, venue_fill_id INTEGER NOT NULL," \
    " symbol TEXT NOT NULL, kind TEXT NOT NULL, side TEXT NOT NULL, qty INTEGER,"       \
    " price INTEGER, fee INTEGER, at_us INTEGER NOT NULL, UNIQUE(venue_fill_id, client_id));"
#define POSITION_COLUMNS                                                                   \
    "(symbol TEXT PRIMARY KEY, side TEXT NOT NULL, qty INTEGER, entry_price INTEGER,"      \
    " stop INTEGER, target INTEGER, mark_price INTEGER, unrealised INTEGER, fees INTEGER," \
    " opened_us INTEGER NOT NULL, decision_id INTEGER NOT NULL, client_id TEXT NOT NULL);"

static const char schema_engine[] =
    "CREATE TABLE orders" ORDER_COLUMNS "CREATE INDEX orders_open ON orders(client_id)"
    " WHERE state NOT IN ('filled', 'cancelled', 'rejected');"
    "CREATE TABLE fills" FILL_COLUMNS "CREATE INDEX fills_of_order ON fills(client_id);"
    "CREATE TABLE positions" POSITION_COLUMNS

    "CREATE TABLE trades(id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, side TEXT NOT NULL,"
    " qty INTEGER, entry_price INTEGER, exit_price INTEGER, pnl INTEGER, fees INTEGER,"
    " opened_us INTEGER NOT NULL, closed_us INTEGER NOT NULL, decision_id INTEGER NOT NULL,"
    " exit_reason TEXT NOT NULL, client_id TEXT NOT NULL);"
    "CREATE INDEX trades_closed ON trades(closed_us);"

    "CREATE TABLE decisions(id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, at_us INTEGER NOT NULL,"
    " price INTEGER, regime TEXT NOT NULL, votes TEXT NOT NULL, score REAL, threshold REAL,"
    " direction TEXT NOT NULL, outcome TEXT NOT NULL, veto_code TEXT NOT NULL,"
    " veto_text TEXT NOT NULL, veto_max_qty INTEGER, client_id TEXT NOT NULL);"
    "CREATE INDEX decisions_of_symbol ON decisions(symbol, id);"
    "CREATE INDEX decisions_of_order ON decisions(client_id) WHERE client_id <> '';"
    "CREATE INDEX decisions_at ON decisions(at_us);"
    "CREATE INDEX decisions_to_prune ON decisions(at_us) WHERE outcome <> 'order';"

    "CREATE TABLE equity(at_us INTEGER PRIMARY KEY, equity INTEGER, cash INTEGER,"
    " realised INTEGER);"
    "CREATE TABLE candles(symbol TEXT NOT NULL, open_us INTEGER NOT NULL, open INTEGER,"
    " high INTEGER, low INTEGER, close INTEGER, volume INTEGER,"
    " PRIMARY KEY(symbol, open_us)) WITHOUT ROWID;"

    "CREATE TABLE engine_state(id INTEGER PRIMARY KEY CHECK(id = 1), state TEXT NOT NULL,"
    " state_reason TEXT NOT NULL, state_since_wall_us INTEGER NOT NULL,"
    " market_us INTEGER NOT NULL, initial_cash INTEGER, cash INTEGER, realised INTEGER,"
    " fees INTEGER, equity_peak INTEGER, day_start_equity INTEGER, day INTEGER NOT NULL,"
    " consecutive_losses INTEGER NOT NULL, run INTEGER NOT NULL, next_order INTEGER NOT NULL,"
    " next_decision_id INTEGER NOT NULL, next_trade_id INTEGER NOT NULL,"
    " candles INTEGER NOT NULL, decisions INTEGER NOT NULL, orders INTEGER NOT NULL,"
    " fills INTEGER NOT NULL, trades INTEGER NOT NULL, wins INTEGER NOT NULL,"
    " vetoes INTEGER NOT NULL, refused_candles INTEGER NOT NULL);"
    "CREATE TABLE cooldowns(symbol TEXT PRIMARY KEY, until_us INTEGER NOT NULL);"
    "CREATE TABLE blobs(name TEXT PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE engine_requests(id INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
    " symbol TEXT NOT NULL, asked_by TEXT NOT NULL, error_code TEXT NOT NULL,"
    " at_us INTEGER NOT NULL);";

static const char schema_paper[] =
    "CREATE TABLE paper_orders" ORDER_COLUMNS
    "CREATE INDEX paper_orders_open ON paper_orders(client_id)"
    " WHERE state NOT IN ('filled', 'cancelled', 'rejected');"
    "CREATE TABLE paper_fills" FILL_COLUMNS
    "CREATE INDEX paper_fills_of_order ON paper_fills(client_id);"
    "CREATE TABLE paper_positions" POSITION_COLUMNS
    "CREATE TABLE paper_state(name TEXT PRIMARY KEY, value INTEGER NOT NULL);";

static const char schema_import[] =
    "CREATE TABLE imported_candles(symbol TEXT NOT NULL, timeframe TEXT NOT NULL,"
    " open_us INTEGER NOT NULL, open INTEGER, high INTEGER, low INTEGER, close INTEGER,"
    " volume INTEGER, PRIMARY KEY(symbol, timeframe, open_us)) WITHOUT ROWID;";

static const char schema_desk[] =
    "ALTER TABLE engine_state ADD COLUMN funding INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE engine_state ADD COLUMN last_funding_id INTEGER NOT NULL DEFAULT 0;"

    /* The order, placed or not, and the trading rules that matched. */
    "ALTER TABLE decisions ADD COLUMN qty INTEGER;"
    "ALTER TABLE decisions ADD COLUMN stop INTEGER;"
    "ALTER TABLE decisions ADD COLUMN target INTEGER;"
    "ALTER TABLE decisions ADD COLUMN rules TEXT NOT NULL DEFAULT '';"

    "CREATE TABLE funding(funding_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, payment INTEGER,"
    " at_us INTEGER NOT NULL);"
    "CREATE TABLE paper_funding(funding_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL,"
    " payment INTEGER, at_us INTEGER NOT NULL);"

    /* The engine evaluates condition; help is for people. */
    "CREATE TABLE trading_rules(id INTEGER PRIMARY KEY, status TEXT NOT NULL,"
    " effect TEXT NOT NULL, condition TEXT NOT NULL, help TEXT NOT NULL,"
    " success_count INTEGER NOT NULL DEFAULT 0, failure_count INTEGER NOT NULL DEFAULT 0,"
    " created_us INTEGER NOT NULL, created_by TEXT NOT NULL, updated_us INTEGER NOT NULL);"
    /* Entries that matched a rule, tracked until price reaches their stop or target. */
    "CREATE TABLE rule_shadows(id INTEGER PRIMARY KEY, rule_id INTEGER NOT NULL,"
    " decision_id INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, entry INTEGER,"
    " stop INTEGER, target INTEGER, at_us INTEGER NOT NULL);"

    "CREATE TABLE models(id INTEGER PRIMARY KEY, path TEXT NOT NULL, model_hash TEXT NOT NULL,"
    " data_hash TEXT NOT NULL, features TEXT NOT NULL, rows INTEGER NOT NULL, auc REAL,"
    " log_loss REAL, trained_wall_us INTEGER NOT NULL);";

/* 0 for orders stored before: their stops and targets keep their prices. */
static const char schema_distances[] =
    "ALTER TABLE orders ADD COLUMN stop_away INTEGER DEFAULT 0;"
    "ALTER TABLE orders ADD COLUMN target_away INTEGER DEFAULT 0;"
    "ALTER TABLE paper_orders ADD COLUMN stop_away INTEGER DEFAULT 0;"
    "ALTER TABLE paper_orders ADD COLUMN target_away INTEGER DEFAULT 0;";

/* The id of a fill is a text. Earlier fees were in quote currency, as the empty currency says. The
 * paper venue's ids are numbers. */
static const char schema_fill_ids[] =
    "CREATE TABLE fills_by_text"
    "(id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, venue_fill_id TEXT NOT NULL,"
    " symbol TEXT NOT NULL, kind TEXT NOT NULL, side TEXT NOT NULL, qty INTEGER,"
    " price INTEGER, fee INTEGER, at_us INTEGER NOT NULL,"
    " fee_currency TEXT NOT NULL DEFAULT '', fee_charged INTEGER DEFAULT 0,"
    " UNIQUE(venue_fill_id, client_id));"
    "INSERT INTO fills_by_text SELECT id, client_id, CAST(venue_fill_id AS TEXT), symbol, kind,"
    " side, qty, price, fee, at_us, '', fee FROM fills;"
    "DROP TABLE fills;"
    "ALTER TABLE fills_by_text RENAME TO fills;"
    "CREATE INDEX fills_of_order ON fills(client_id);"
    "ALTER TABLE paper_fills ADD COLUMN fee_currency TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE paper_fills ADD COLUMN fee_charged INTEGER DEFAULT 0;";

/* Earlier orders said only what they were for: each was a market order that rests, as these
 * defaults are, and a close only reduced. */
#define ORDER_TERMS(table)                                                        \
    "ALTER TABLE " table " ADD COLUMN type TEXT NOT NULL DEFAULT 'market';"       \
    "ALTER TABLE " table " ADD COLUMN time_in_force TEXT NOT NULL DEFAULT 'gtc';" \
    "ALTER TABLE " table " ADD COLUMN post_only INTEGER NOT NULL DEFAULT 0;"      \
    "ALTER TABLE " table " ADD COLUMN reduce_only INTEGER NOT NULL DEFAULT 0;"    \
    "ALTER TABLE " table " ADD COLUMN price INTEGER DEFAULT 0;"                   \
    "UPDATE " table " SET reduce_only = 1 WHERE kind <> 'entry';"
static const char schema_terms[] = ORDER_TERMS("orders") ORDER_TERMS("paper_orders");

/* 0 for rows stored before. */
static const char schema_runs[] =
    "ALTER TABLE orders ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX orders_of_run ON orders(run_id) WHERE run_id <> 0;"
    "ALTER TABLE paper_orders ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trades ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE engine_requests ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;";

/* Of a real venue, see venue_table.h. */
static const char schema_venue[] =
    "CREATE TABLE venue_state(name TEXT PRIMARY KEY, value TEXT NOT NULL);";

/* See transfer_table.h. */
static const char schema_transfers[] =
    "CREATE TABLE transfers(id INTEGER PRIMARY KEY, request_id INTEGER NOT NULL, amount INTEGER,"
    " at_us INTEGER NOT NULL);"
    "CREATE VIEW equity_curve AS SELECT at_us, equity + moved AS equity, cash + moved AS cash,"
    " realised FROM (SELECT *, (SELECT coalesce(sum(amount), 0) FROM transfers"
    " WHERE transfers.at_us > equity.at_us) AS moved FROM equity);";

/* Fees of the account, which belong to no fill; see funding_table.h and venue_table.h. */
static const char schema_charges[] =
    "CREATE TABLE charges(charge_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, amount INTEGER,"
    " at_us INTEGER NOT NULL);"
    "CREATE TABLE venue_events(id TEXT PRIMARY KEY, number INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL);";

static const struct db_migration migrations[] = {
    {"the engine's tables", schema_engine},      {"the paper venue's tables", schema_paper},
    {"imported candles", schema_import},         {"funding, rules and models", schema_desk},
    {"brackets by distance", schema_distances},  {"fill ids as texts", schema_fill_ids},
    {"how orders are executed", schema_terms},   {"runs of orders", schema_runs},
    {"the state of a real venue", schema_venue}, {"transfers of money", schema_transfers},
    {"fees of the account", schema_charges}};

int trading_store_open(const char *state_dir, enum trading_store_mode mode,
                       struct trading_store **ret, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_add_c(&path, state_dir);
    if (strcmp(state_dir, ":memory:") != 0) {
        buf_add_c(&path, "/trading.db");
    }
    if (buf_failed(&path)) {
        return err_set(err, ERR_STORE_TOO_LONG, "state.dir");
    }
    struct db *db = NULL;
    int rc = db_open(&(struct db_options){.path = path.data,
                                          .read_only = mode == TRADING_STORE_READ,
                                          .busy_timeout_ms = TRADING_BUSY_MS,
                                          .application_id = TRADING_APPLICATION_ID,
                                          .migrations = migrations,
                                          .migration_count = COUNT_OF(migrations)},
                     &db, err);
    if (rc < 0) {
        return rc;
    }
    struct trading_store *store = calloc(1, sizeof(*store));
    ASSERT(store != NULL);
    store->db = db;
    buf_init(&store->scratch, SCRATCH_MAX);
    *ret = store;
    return 0;
}

struct db *trading_store_db(struct trading_store *store)
{
    return store->db;
}

void trading_store_free(struct trading_store *store)
{
    if (store == NULL) {
        return;
    }
    db_free(store->db);
    buf_release(&store->scratch);
    free(store);
}

int trading_store_begin(struct trading_store *store, struct err *err)
{
    return db_begin(store->db, err);
}

int trading_store_commit(struct trading_store *store, struct err *err)
{
    if (store->recorded_changed) {
        int rc =
            state_table_write_blob(store, RECORDED, store->recorded, sizeof(store->recorded), err);
        if (rc < 0) {
            db_rollback(store->db);
            return rc;
        }
    }
    int rc = db_commit(store->db, err);
    store->recorded_changed = store->recorded_changed && rc < 0;
    return rc;
}

void trading_store_set_recorded(struct trading_store *store, int64_t run, int64_t size_bytes)
{
    store->recorded[0] = run;
    store->recorded[1] = size_bytes;
    store->recorded_changed = true;
}

int trading_store_get_recorded(struct trading_store *store, int64_t *ret_run, int64_t *ret_size,
                               struct err *err)
{
    int64_t recorded[2] = {0};
    size_t size = 0;
    int rc = state_table_get_blob(store, RECORDED, recorded, sizeof(recorded), &size, err);
    if (rc == 0 && size != sizeof(recorded)) {
        return err_set(err, ERR_STORE_DAMAGED, "blob " RECORDED ": %zu bytes", size);
    }
    *ret_run = recorded[0];
    *ret_size = recorded[1];
    return rc;
}

int trading_store_restore_if_moved(struct trading_store *store, struct err *err)
{
    return db_restore_if_moved(store->db, err);
}

int trading_store_reopen(struct trading_store *store, struct err *err)
{
    return db_reopen(store->db, err);
}

void trading_store_rollback(struct trading_store *store)
{
    db_rollback(store->db);
}

int trading_store_prune(struct trading_store *store, int64_t before_us, int64_t max_rows,
                        int64_t *ret_deleted, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = db_run(store->db,
                    "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions"
                    " WHERE at_us < ? AND outcome <> 'order' LIMIT ?)",
                    DB_VALUES(DB_I64(before_us), DB_I64(max_rows)), err);
    }
    int64_t deleted = rc == 0 ? db_changes(store->db) : 0;
    if (rc == 0) {
        rc = db_run(store->db,
                    "DELETE FROM equity WHERE at_us IN (SELECT at_us FROM equity"
                    " WHERE at_us < ? ORDER BY at_us LIMIT ?)",
                    DB_VALUES(DB_I64(before_us), DB_I64(max_rows)), err);
    }
    deleted += rc == 0 ? db_changes(store->db) : 0;
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_deleted = deleted;
    return 0;
}

void trading_store_log_work(struct trading_store *store, const char *when)
{
    row_log_work(store->db, "trading.db", when);
}

int trading_store_check(struct trading_store *store, struct err *err)
{
    return db_quick_check(store->db, err);
}

void trading_store_set_fault(struct trading_store *store, trading_store_fault_fn fn, void *userdata)
{
    db_set_fault(store->db, fn, userdata);
}
