#include "store/ops.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "row.h"

#include <string.h>

enum {
    OPS_APPLICATION_ID = 0x4e446f70, /* "NDop" */
    OPS_BUSY_MS = 10,                /* blocks the ops loop */
    OPS_BUSY_REST_MS = 90,           /* so for a tenth of the time at most */
    OPS_CHECKPOINT_PAGES = 4000      /* 16 MB; the ops thread checkpoints much earlier */
};

static const char schema_attention[] =
    /* Names and order of the first eleven columns are a public interface. */
    "CREATE TABLE monitoring_alerts(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " alert_type TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL,"
    " description TEXT NOT NULL, evidence TEXT NOT NULL, recommendation TEXT NOT NULL,"
    " status TEXT NOT NULL, created_at TEXT NOT NULL, acknowledged_at TEXT, fixed_at TEXT,"
    " fingerprint TEXT NOT NULL, source TEXT NOT NULL, count INTEGER NOT NULL DEFAULT 1,"
    " last_seen_at TEXT NOT NULL, acked_by TEXT NOT NULL DEFAULT '',"
    " check_json TEXT NOT NULL DEFAULT '', reopened INTEGER NOT NULL DEFAULT 0,"
    " notified INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX alerts_live ON monitoring_alerts(fingerprint)"
    " WHERE status IN ('open', 'acknowledged', 'wontfix');"
    "CREATE INDEX alerts_fingerprint ON monitoring_alerts(fingerprint);"
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, door TEXT NOT NULL,"
    " chat_id INTEGER NOT NULL, kind TEXT NOT NULL, priority INTEGER NOT NULL,"
    " payload TEXT NOT NULL, run_id INTEGER NOT NULL, created_at_us INTEGER NOT NULL,"
    " not_before_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " state TEXT NOT NULL DEFAULT 'queued', last_error TEXT NOT NULL DEFAULT '',"
    " message_id INTEGER NOT NULL DEFAULT 0, edit_of INTEGER NOT NULL);"
    "CREATE INDEX outbox_due ON outbox(door, priority, id) WHERE state = 'queued';"
    "CREATE TABLE audits(id INTEGER PRIMARY KEY AUTOINCREMENT, started_us INTEGER NOT NULL,"
    " finished_us INTEGER NOT NULL, verdict TEXT NOT NULL, cause TEXT NOT NULL,"
    " model TEXT NOT NULL, request_id TEXT NOT NULL, tokens_in INTEGER NOT NULL,"
    " tokens_out INTEGER NOT NULL, cost_microusd INTEGER NOT NULL, info INTEGER NOT NULL,"
    " low INTEGER NOT NULL, medium INTEGER NOT NULL, high INTEGER NOT NULL,"
    " critical INTEGER NOT NULL, rejected INTEGER NOT NULL, note TEXT NOT NULL,"
    " report TEXT NOT NULL);"
    "CREATE TABLE service_samples(id INTEGER PRIMARY KEY, service TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, up INTEGER NOT NULL, latency_us INTEGER NOT NULL,"
    " detail TEXT NOT NULL);"
    "CREATE INDEX service_samples_of ON service_samples(service, at_us);"
    "CREATE INDEX service_samples_at ON service_samples(at_us);";

static const char schema_commands[] =
    "CREATE TABLE command_runs(id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL,"
    " args TEXT NOT NULL, user_id INTEGER NOT NULL, user_name TEXT NOT NULL, role TEXT NOT NULL,"
    " door TEXT NOT NULL, chat_id INTEGER NOT NULL, state TEXT NOT NULL, step INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, result TEXT NOT NULL,"
    " error_code TEXT NOT NULL);"
    "CREATE INDEX command_runs_live ON command_runs(state)"
    " WHERE state IN ('confirming', 'running');"
    "CREATE TABLE run_steps(run_id INTEGER NOT NULL REFERENCES command_runs(id)"
    " ON DELETE CASCADE, idx INTEGER NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL,"
    " started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, result TEXT NOT NULL,"
    " PRIMARY KEY(run_id, idx)) WITHOUT ROWID;"
    "CREATE TABLE confirmations(nonce TEXT PRIMARY KEY, run_id INTEGER NOT NULL UNIQUE"
    " REFERENCES command_runs(id) ON DELETE CASCADE, user_id INTEGER NOT NULL,"
    " door TEXT NOT NULL, chat_id INTEGER NOT NULL, outbox_id INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL, used INTEGER NOT NULL);"
    "CREATE INDEX confirmations_waiting ON confirmations(expires_us) WHERE used = 0;"
    "CREATE TABLE updates(door TEXT NOT NULL, update_id INTEGER NOT NULL,"
    " received_us INTEGER NOT NULL, PRIMARY KEY(door, update_id)) WITHOUT ROWID;"
    "CREATE TABLE audit_log(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,"
    " user TEXT NOT NULL, door TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL,"
    " result TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TABLE kv(name TEXT PRIMARY KEY, value) WITHOUT ROWID;";

static const char schema_messages[] =
    "CREATE TABLE alert_messages(alert_id INTEGER NOT NULL REFERENCES monitoring_alerts(id)"
    " ON DELETE CASCADE, door TEXT NOT NULL, chat_id INTEGER NOT NULL,"
    " outbox_id INTEGER NOT NULL, PRIMARY KEY(alert_id, door, chat_id)) WITHOUT ROWID;";

/* An index to find the archives of the audit log without a full scan. */
static const char schema_reads[] =
    "CREATE TABLE command_reads(hour_us INTEGER NOT NULL, user TEXT NOT NULL, door TEXT NOT NULL,"
    " command TEXT NOT NULL, count INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " PRIMARY KEY(hour_us, user, door, command)) WITHOUT ROWID;"
    "CREATE INDEX audit_log_archives ON audit_log(id) WHERE action = 'audit.archived';";

/* Indexes for the queries of a start and of the daily pruning, so that neither scans a table. */
static const char schema_lookups[] =
    "CREATE INDEX outbox_sending ON outbox(id) WHERE state = 'sending';"
    "CREATE INDEX outbox_uncertain ON outbox(door, id) WHERE state = 'uncertain';"
    "CREATE INDEX outbox_ended ON outbox(created_at_us) WHERE state IN ('delivered', 'dead',"
    " 'uncertain');"
    "CREATE INDEX command_runs_ended ON command_runs(updated_us) WHERE state NOT IN"
    " ('confirming', 'running');"
    "CREATE INDEX updates_received ON updates(received_us);"
    "CREATE INDEX audits_finished ON audits(finished_us);"
    "CREATE INDEX alerts_ended ON monitoring_alerts(last_seen_at) WHERE status IN"
    " ('fixed', 'rejected');";

/* Renames columns. The hashes of the audit log are over values, so its chain stays valid. */
static const char schema_channels[] =
    "ALTER TABLE outbox RENAME COLUMN door TO channel;"
    "ALTER TABLE command_runs RENAME COLUMN door TO channel;"
    "ALTER TABLE confirmations RENAME COLUMN door TO channel;"
    "ALTER TABLE updates RENAME COLUMN door TO channel;"
    "ALTER TABLE audit_log RENAME COLUMN door TO channel;"
    "ALTER TABLE alert_messages RENAME COLUMN door TO channel;"
    "ALTER TABLE command_reads RENAME COLUMN door TO channel;"
    "UPDATE monitoring_alerts SET fingerprint = 'telegram:poll-stalled' WHERE fingerprint ="
    " 'telegram:deaf';"
    "UPDATE monitoring_alerts SET fingerprint = replace(fingerprint, ':STATEFILE_',"
    " ':STATE_FILE_') WHERE fingerprint LIKE '%:STATEFILE\\_%' ESCAPE '\\';";

static const char schema_config[] =
    "CREATE TABLE config_versions(id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL,"
    " user TEXT NOT NULL, channel TEXT NOT NULL, why TEXT NOT NULL, hash TEXT NOT NULL,"
    " changes TEXT NOT NULL, text TEXT NOT NULL);";
static const char schema_workflows[] =
    "ALTER TABLE command_runs ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE run_steps ADD COLUMN outputs TEXT NOT NULL DEFAULT '';";
/* The digest of the manifest that a run or a prompt was made with. */
static const char schema_manifests[] =
    "ALTER TABLE command_runs ADD COLUMN manifest TEXT NOT NULL DEFAULT '';";

static const char schema_stages[] =
    "ALTER TABLE confirmations ADD COLUMN stage TEXT NOT NULL DEFAULT 'confirm';"
    "CREATE TABLE second_factors(user TEXT PRIMARY KEY, last_step INTEGER NOT NULL,"
    " failures INTEGER NOT NULL, window_us INTEGER NOT NULL, locked_until_us INTEGER NOT NULL)"
    " WITHOUT ROWID;";

static const char schema_topics[] =
    "ALTER TABLE outbox ADD COLUMN thread_id INTEGER NOT NULL DEFAULT 0;";

/* basis: what a prompt showed, to be compared when it is answered. */
static const char schema_people[] =
    "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,"
    " emergency INTEGER NOT NULL, granted_by TEXT NOT NULL, granted_us INTEGER NOT NULL);"
    "CREATE TABLE factor_secrets(user TEXT PRIMARY KEY, sealed TEXT NOT NULL,"
    " active INTEGER NOT NULL, created_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE recovery_codes(user TEXT NOT NULL, hash TEXT NOT NULL,"
    " used_us INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(user, hash)) WITHOUT ROWID;"
    "ALTER TABLE confirmations ADD COLUMN basis TEXT NOT NULL DEFAULT '';";
/* Second channels, digests, mutes, and what quiet hours hold back. An old message is not copied to
 * a second channel, so it counts as copied. */
static const char schema_second_channel[] =
    "ALTER TABLE outbox ADD COLUMN copied_us INTEGER NOT NULL DEFAULT 0;"
    "UPDATE outbox SET copied_us = 1;"
    "CREATE INDEX outbox_uncopied ON outbox(channel, created_at_us) WHERE copied_us = 0"
    " AND kind = 'send' AND priority <= 1 AND state <> 'delivered';"
    "CREATE INDEX outbox_dead_uncopied ON outbox(created_at_us) WHERE copied_us = 0"
    " AND kind = 'send' AND priority <= 1 AND state = 'dead';"
    "CREATE INDEX outbox_chats ON outbox(channel, chat_id, priority, id) WHERE state = 'queued';"
    "CREATE INDEX outbox_next ON outbox(channel, not_before_us) WHERE state = 'queued';"
    "CREATE INDEX outbox_runs ON outbox(run_id) WHERE run_id > 0;"
    "CREATE INDEX outbox_undelivered ON outbox(created_at_us) WHERE state IN ('dead',"
    " 'uncertain');"
    "CREATE INDEX outbox_waiting ON outbox(created_at_us) WHERE state IN ('queued',"
    " 'sending');"
    "CREATE INDEX outbox_edits ON outbox(edit_of) WHERE state = 'queued' AND kind = 'edit';"
    "ALTER TABLE alert_messages ADD COLUMN form TEXT NOT NULL DEFAULT 'own';"
    "CREATE INDEX alert_messages_of ON alert_messages(outbox_id);"
    "CREATE TABLE mutes(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " value TEXT NOT NULL, until_us INTEGER NOT NULL, user TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, UNIQUE(kind, value));"
    "CREATE TABLE held_notices(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, title TEXT NOT NULL, alert_id INTEGER NOT NULL);";

/* What people wrote about an alert that they marked as fixed or won't fix. */
static const char schema_closed[] =
    "ALTER TABLE monitoring_alerts ADD COLUMN note TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE monitoring_alerts ADD COLUMN closed_by TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX alerts_closed ON monitoring_alerts(coalesce(fixed_at, acknowledged_at), id)"
    " WHERE source = 'auditor' AND status IN ('fixed', 'wontfix');";
/* The pinned messages of /status live. */
static const char schema_live[] =
    "CREATE TABLE live_messages(channel TEXT NOT NULL, chat_id INTEGER NOT NULL,"
    " thread_id INTEGER NOT NULL, outbox_id INTEGER NOT NULL, user TEXT NOT NULL,"
    " since_us INTEGER NOT NULL, ended TEXT NOT NULL, PRIMARY KEY(channel, chat_id));"
    "CREATE INDEX outbox_about ON outbox(edit_of) WHERE edit_of > 0;";

/* What became of the findings in the model's answers. */
static const char schema_answers[] =
    "ALTER TABLE audits ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE audits ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE audits ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;"
    /* Those of rules were not counted apart before. */
    "UPDATE audits SET claimed = rejected + info + low + medium + high + critical"
    " WHERE model <> '';";

/* One row for each request that was sent; cost_usd is in 1e-8, NULL if it is unknown. */
static const char schema_llm_calls[] =
    "CREATE TABLE llm_calls(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, model TEXT NOT NULL,"
    " input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,"
    " cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,"
    " cost_usd INTEGER, latency_us INTEGER NOT NULL, stop_reason TEXT NOT NULL,"
    " error_code TEXT NOT NULL, request_id TEXT NOT NULL, prompt_hash TEXT NOT NULL,"
    " report_hash TEXT NOT NULL);"
    "CREATE INDEX llm_calls_at ON llm_calls(at_us);";

/* When a closed finding came back, for the weekly digest. */
static const char schema_reopened[] = "ALTER TABLE monitoring_alerts ADD COLUMN reopened_at TEXT;";

/* What caused an alert, the incidents with their time lines, and maintenance. */
static const char schema_incidents[] =
    "ALTER TABLE monitoring_alerts ADD COLUMN cause TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE monitoring_alerts ADD COLUMN run_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE monitoring_alerts ADD COLUMN due_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX alerts_due ON monitoring_alerts(due_us) WHERE due_us > 0;"
    "CREATE INDEX alerts_caused ON monitoring_alerts(cause) WHERE cause <> ''"
    " AND status IN ('open', 'acknowledged', 'wontfix');"
    "CREATE TABLE incidents(id INTEGER PRIMARY KEY REFERENCES monitoring_alerts(id)"
    " ON DELETE CASCADE, opened_us INTEGER NOT NULL, closed_us INTEGER NOT NULL DEFAULT 0,"
    " merged_into INTEGER NOT NULL DEFAULT 0, escalated INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX incidents_open ON incidents(id) WHERE closed_us = 0;"
    "INSERT INTO incidents(id, opened_us) SELECT id, strftime('%s', created_at) * 1000000"
    " FROM monitoring_alerts WHERE status IN ('open', 'acknowledged') AND source <> 'auditor';"
    "CREATE TABLE incident_events(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " incident_id INTEGER NOT NULL REFERENCES incidents(id) ON DELETE CASCADE,"
    " at_us INTEGER NOT NULL, kind TEXT NOT NULL, alert_id INTEGER NOT NULL,"
    " run_id INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX incident_events_of ON incident_events(incident_id, id);"
    "CREATE TABLE maintenance(id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL,"
    " begun_us INTEGER NOT NULL, until_us INTEGER NOT NULL, reason TEXT NOT NULL,"
    " user TEXT NOT NULL, run_id INTEGER NOT NULL, ended_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX maintenance_now ON maintenance(service) WHERE ended_us = 0;"
    "ALTER TABLE held_notices ADD COLUMN because TEXT NOT NULL DEFAULT '';";
/* Triggers count the rows, so that the count is exact however rows come and go. */
#define METRIC_LEVEL_COUNT(table, level)                                            \
    "INSERT INTO metric_levels(level, rows) VALUES (" level ", 0);"                 \
    "CREATE TRIGGER " table "_added AFTER INSERT ON " table                         \
    " BEGIN UPDATE metric_levels SET rows = rows + 1 WHERE level = " level "; END;" \
    "CREATE TRIGGER " table "_deleted AFTER DELETE ON " table                       \
    " BEGIN UPDATE metric_levels SET rows = rows - 1 WHERE level = " level "; END;"
static const char schema_metrics[] =
    "CREATE TABLE metric_series(id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL,"
    " name TEXT NOT NULL, last_s INTEGER, UNIQUE(subject, name));"
    "CREATE INDEX metric_series_last ON metric_series(last_s);"
    "CREATE TABLE metric_levels(level INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
    "CREATE TABLE metric_detail(at_s INTEGER NOT NULL, series INTEGER NOT NULL,"
    " value REAL NOT NULL, PRIMARY KEY(at_s, series)) WITHOUT ROWID;"
    "CREATE TABLE metric_5min(at_s INTEGER NOT NULL, series INTEGER NOT NULL, min REAL NOT NULL,"
    " mean REAL NOT NULL, max REAL NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(at_s, series)) WITHOUT ROWID;"
    "CREATE TABLE metric_hour(at_s INTEGER NOT NULL, series INTEGER NOT NULL, min REAL NOT NULL,"
    " mean REAL NOT NULL, max REAL NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY(at_s, series)) WITHOUT ROWID;" METRIC_LEVEL_COUNT("metric_detail", "0")
        METRIC_LEVEL_COUNT("metric_5min", "1")
            METRIC_LEVEL_COUNT("metric_hour", "2") "CREATE TRIGGER metric_hour_named AFTER INSERT "
                                                   "ON metric_hour BEGIN UPDATE metric_series"
                                                   " SET last_s = max(coalesce(last_s, NEW.at_s), "
                                                   "NEW.at_s) WHERE id = NEW.series; END;";

/* The last calls of the jobs that report to nightdesk. */
static const char schema_heartbeats[] =
    "CREATE TABLE heartbeats(service TEXT NOT NULL, name TEXT NOT NULL, first_us INTEGER NOT NULL,"
    " last_us INTEGER NOT NULL, started_us INTEGER NOT NULL, failed_us INTEGER NOT NULL,"
    " PRIMARY KEY(service, name)) WITHOUT ROWID;";

/* The runs whose pause of entries ends with the last maintenance that wants one. */
static const char schema_maintenance_pauses[] =
    "CREATE TABLE maintenance_pauses(run_id INTEGER PRIMARY KEY);"
    "INSERT INTO maintenance_pauses SELECT DISTINCT run_id FROM maintenance"
    " WHERE run_id <> 0 AND ended_us = 0;";

#define LEARNING_PART(prefix)                                                            \
    " " prefix "_cases INTEGER NOT NULL DEFAULT 0, " prefix                              \
    "_wins INTEGER NOT NULL DEFAULT 0, " prefix "_all_cases INTEGER NOT NULL DEFAULT 0," \
    " " prefix "_all_wins INTEGER NOT NULL DEFAULT 0, " prefix                           \
    "_return_pct REAL NOT NULL DEFAULT 0, " prefix "_p REAL NOT NULL DEFAULT 0,"
static const char schema_learning[] =
    "CREATE TABLE reflections(trade_id INTEGER PRIMARY KEY, symbol TEXT NOT NULL,"
    " side TEXT NOT NULL, opened_us INTEGER NOT NULL, closed_us INTEGER NOT NULL, pnl INTEGER,"
    " return_pct REAL, exit_reason TEXT NOT NULL, decision_id INTEGER NOT NULL, score REAL,"
    " threshold REAL, p_up REAL, agents_right TEXT NOT NULL, agents_wrong TEXT NOT NULL,"
    " best_pct REAL, worst_pct REAL, captured_pct REAL, unknown TEXT NOT NULL,"
    " words TEXT NOT NULL, at_us INTEGER NOT NULL);"
    /* pattern is a condition of the language of trading rules; wording is what duplicates of
     * learnings without one are found by. */
    "CREATE TABLE learnings(id INTEGER PRIMARY KEY AUTOINCREMENT, pattern TEXT NOT NULL,"
    " effect TEXT NOT NULL, text TEXT NOT NULL, wording TEXT NOT NULL,"
    " confidence REAL NOT NULL DEFAULT 0, outcome TEXT NOT NULL,"
    " cases INTEGER NOT NULL DEFAULT 0, wins INTEGER NOT NULL DEFAULT 0,"
    " return_pct REAL NOT NULL DEFAULT 0, evidence TEXT NOT NULL DEFAULT '',"
    " duplicates INTEGER NOT NULL DEFAULT 0, review_id INTEGER NOT NULL DEFAULT 0," LEARNING_PART(
        "formed")
        LEARNING_PART(
            "held") " rule_id INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',"
                    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);"
                    "CREATE UNIQUE INDEX learnings_pattern ON learnings(pattern) WHERE pattern <> "
                    "'';"
                    "CREATE UNIQUE INDEX learnings_rule ON learnings(rule_id) WHERE rule_id <> 0;"
                    "CREATE INDEX learnings_wording ON learnings(wording) WHERE pattern = '';"
                    "CREATE TABLE learning_reviews(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,"
                    " last_trade_id INTEGER NOT NULL, trades INTEGER NOT NULL, formed INTEGER NOT "
                    "NULL,"
                    " held INTEGER NOT NULL, tried INTEGER NOT NULL, survivors INTEGER NOT NULL,"
                    " confirmed INTEGER NOT NULL, level REAL NOT NULL);";
/* What the night watch expects (forecast_table.h). */
static const char schema_forecasts[] =
    "CREATE TABLE forecasts(id INTEGER PRIMARY KEY AUTOINCREMENT, day INTEGER NOT NULL,"
    " due_day INTEGER NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, low REAL NOT NULL,"
    " mid REAL NOT NULL, high REAL NOT NULL, bound REAL NOT NULL, target REAL NOT NULL,"
    " warned INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'open', actual REAL,"
    " UNIQUE(subject, kind, day));"
    "CREATE INDEX forecasts_day ON forecasts(day);"
    "CREATE INDEX forecasts_due ON forecasts(due_day, id) WHERE state = 'open';";

static const char schema_questions[] =
    "CREATE TABLE questions(id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL,"
    " kind TEXT NOT NULL, subject TEXT NOT NULL, user TEXT NOT NULL, user_id INTEGER NOT NULL,"
    " channel TEXT NOT NULL, asked_us INTEGER NOT NULL, ended_us INTEGER NOT NULL DEFAULT 0,"
    " question TEXT NOT NULL, state TEXT NOT NULL, source TEXT NOT NULL DEFAULT '',"
    " answer TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '',"
    " tokens INTEGER NOT NULL DEFAULT 0, cost_usd INTEGER, found INTEGER NOT NULL DEFAULT 0,"
    " derived INTEGER NOT NULL DEFAULT 0, unverified INTEGER NOT NULL DEFAULT 0,"
    " figures TEXT NOT NULL DEFAULT '[]', error_code TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX questions_run ON questions(run_id);"
    "CREATE TABLE question_steps(question_id INTEGER NOT NULL REFERENCES questions(id)"
    " ON DELETE CASCADE, idx INTEGER NOT NULL, line TEXT NOT NULL, result TEXT NOT NULL,"
    " error_code TEXT NOT NULL, took_us INTEGER NOT NULL,"
    " PRIMARY KEY(question_id, idx)) WITHOUT ROWID;";

/* What people say of the answers. */
static const char schema_ratings[] =
    "CREATE TABLE question_ratings(question_id INTEGER NOT NULL REFERENCES questions(id)"
    " ON DELETE CASCADE, channel TEXT NOT NULL, user TEXT NOT NULL, good INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, PRIMARY KEY(question_id, channel, user)) WITHOUT ROWID;"
    "CREATE INDEX questions_asked ON questions(asked_us);";

/* run_id: of the run that somebody began with the line; 0: nobody has. */
static const char schema_proposals[] =
    "CREATE TABLE question_proposals(question_id INTEGER NOT NULL REFERENCES questions(id)"
    " ON DELETE CASCADE, idx INTEGER NOT NULL, line TEXT NOT NULL,"
    " run_id INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(question_id, idx)) WITHOUT ROWID;"
    "CREATE INDEX question_proposals_line ON question_proposals(line);";

/* The text of the configuration file, without secrets. */
static const char schema_config_files[] = "ALTER TABLE config_versions ADD COLUMN file TEXT"
                                          " NOT NULL DEFAULT '';";

/* Command lines that a program has proposed. messages: outbox ids with their chats. */
static const char schema_program_proposals[] =
    "CREATE TABLE proposals(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL,"
    " command TEXT NOT NULL, args TEXT NOT NULL, line TEXT NOT NULL, reason TEXT NOT NULL,"
    " user_id INTEGER NOT NULL, user TEXT NOT NULL, channel TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, state TEXT NOT NULL,"
    " decided_by TEXT NOT NULL DEFAULT '', decided_us INTEGER NOT NULL DEFAULT 0,"
    " run_id INTEGER NOT NULL DEFAULT 0, messages TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX proposals_code ON proposals(code);"
    "CREATE INDEX proposals_open ON proposals(expires_us) WHERE state = 'open';"
    "CREATE INDEX proposals_created ON proposals(created_us);";

static const char schema_prepared[] =
    "ALTER TABLE confirmations ADD COLUMN prepared TEXT NOT NULL DEFAULT '';";

/* Conversations (session_table.h). A question of a session is kept as long as its session. */
static const char schema_sessions[] =
    "CREATE TABLE sessions(id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,"
    " opened_us INTEGER NOT NULL, active_us INTEGER NOT NULL,"
    " closed_us INTEGER NOT NULL DEFAULT 0, closed_by TEXT NOT NULL DEFAULT '',"
    " summary TEXT NOT NULL DEFAULT '', summary_to INTEGER NOT NULL DEFAULT 0,"
    " commands TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX sessions_open ON sessions(active_us) WHERE closed_us = 0;"
    "CREATE TABLE session_members(session_id INTEGER NOT NULL REFERENCES sessions(id)"
    " ON DELETE CASCADE, idx INTEGER NOT NULL, channel TEXT NOT NULL, user_id INTEGER NOT NULL,"
    " user TEXT NOT NULL, role TEXT NOT NULL, chat_id INTEGER NOT NULL,"
    " thread_id INTEGER NOT NULL, PRIMARY KEY(session_id, idx)) WITHOUT ROWID;"
    "CREATE TABLE session_events(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " session_id INTEGER NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,"
    " at_us INTEGER NOT NULL, kind TEXT NOT NULL, user TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX session_events_of ON session_events(session_id, id);"
    "ALTER TABLE questions ADD COLUMN session_id INTEGER REFERENCES sessions(id)"
    " ON DELETE CASCADE;"
    "CREATE INDEX questions_session ON questions(session_id) WHERE session_id IS NOT NULL;"
    "CREATE INDEX outbox_message ON outbox(chat_id, message_id)"
    " WHERE message_id <> 0 AND run_id <> 0;";
/* The bearer tokens of the API (token_table.h). */
static const char schema_tokens[] =
    "CREATE TABLE api_tokens(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, commands TEXT NOT NULL,"
    " networks TEXT NOT NULL, created_us INTEGER NOT NULL, created_by TEXT NOT NULL,"
    " expires_us INTEGER NOT NULL, revoked_us INTEGER NOT NULL DEFAULT 0,"
    " revoked_by TEXT NOT NULL DEFAULT '', used_us INTEGER NOT NULL DEFAULT 0,"
    " used_from TEXT NOT NULL DEFAULT '');"
    "CREATE UNIQUE INDEX api_tokens_name ON api_tokens(name) WHERE revoked_us = 0;";

/* The idempotency keys of API callers (idempotency_table.h). */
static const char schema_idempotency[] =
    "CREATE TABLE idempotency_keys(caller TEXT NOT NULL, key TEXT NOT NULL, hash TEXT NOT NULL,"
    " run_id INTEGER NOT NULL, created_us INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 0,"
    " answer TEXT NOT NULL DEFAULT '', PRIMARY KEY (caller, key)) WITHOUT ROWID;"
    "CREATE INDEX idempotency_keys_created ON idempotency_keys(created_us);";

/* One-time logins (login_table.h), and whose session a token is. */
static const char schema_logins[] =
    "CREATE TABLE logins(hash TEXT PRIMARY KEY, channel TEXT NOT NULL, user_id INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0)"
    " WITHOUT ROWID;"
    "ALTER TABLE api_tokens ADD COLUMN holder_channel TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE api_tokens ADD COLUMN holder_id INTEGER NOT NULL DEFAULT 0;";

static const char schema_sentiment[] =
    "CREATE TABLE sentiment_items(id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL,"
    " title TEXT NOT NULL, symbols TEXT NOT NULL, published_us INTEGER NOT NULL,"
    " received_us INTEGER NOT NULL, scorer TEXT NOT NULL, score REAL NOT NULL,"
    " UNIQUE(source, key));"
    "CREATE INDEX sentiment_items_of ON sentiment_items(source, received_us);"
    "CREATE INDEX sentiment_items_at ON sentiment_items(received_us);"
    "CREATE TABLE sentiment_values(id INTEGER PRIMARY KEY, symbol TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, score REAL, until_us INTEGER NOT NULL);"
    "CREATE INDEX sentiment_values_of ON sentiment_values(symbol, at_us);"
    "CREATE INDEX sentiment_values_at ON sentiment_values(at_us);";

static const struct db_migration migrations[] = {
    {"alerts, outbox, audits, samples", schema_attention},
    {"runs, updates, audit log, values", schema_commands},
    {"messages of an alert", schema_messages},
    {"reads by person and hour, archives of the audit log", schema_reads},
    {"look-ups of a start and of the daily tidying", schema_lookups},
    {"channels", schema_channels},
    {"versions of the configuration", schema_config},
    {"outputs of steps, cancelled runs", schema_workflows},
    {"manifests of runs", schema_manifests},
    {"stages of prompts, second factors", schema_stages},
    {"topics of forums", schema_topics},
    {"people, enrolled second factors, what prompts showed", schema_people},
    {"second channels, digests, mutes, held notices", schema_second_channel},
    {"notes about closed alerts", schema_closed},
    {"live messages", schema_live},
    {"answers of the model", schema_answers},
    {"requests to the model", schema_llm_calls},
    {"when findings came back", schema_reopened},
    {"incidents, maintenance", schema_incidents},
    {"metrics", schema_metrics},
    {"calls of jobs", schema_heartbeats},
    {"pauses of maintenance", schema_maintenance_pauses},
    {"reflections and learnings", schema_learning},
    {"forecasts", schema_forecasts},
    {"questions to the assistant", schema_questions},
    {"ratings of answers", schema_ratings},
    {"proposals of the assistant", schema_proposals},
    {"files of the configuration", schema_config_files},
    {"proposals of programs", schema_program_proposals},
    {"what was read before a confirmation", schema_prepared},
    {"troubleshooting sessions", schema_sessions},
    {"tokens of the API", schema_tokens},
    {"idempotency keys of the API", schema_idempotency},
    {"logins at the page", schema_logins},
    {"sentiment", schema_sentiment},
};

/* A reader does not create a missing key: that would hide its loss. */
static int load_key(struct ops_store *store, const char *state_dir, enum ops_store_mode mode,
                    struct err *err)
{
    if (strcmp(state_dir, ":memory:") == 0) {
        secret_random(store->audit_key.bytes, sizeof(store->audit_key.bytes));
        store->has_key = true;
        return 0;
    }
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/audit.key", state_dir);
    if (mode == OPS_STORE_READ && !file_exists(path.data)) {
        return 0;
    }
    int rc = secret_key_load(path.data, &store->audit_key, err);
    store->has_key = rc == 0;
    /* A reader without permission for the key can still read the database. */
    return mode == OPS_STORE_READ ? 0 : rc;
}

int ops_store_open(const char *state_dir, enum ops_store_mode mode, struct ops_store **ret,
                   struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4000);
    buf_add_c(&path, state_dir);
    if (strcmp(state_dir, ":memory:") != 0) {
        buf_add_c(&path, "/ops.db");
    }
    if (buf_failed(&path)) {
        return err_set(err, ERR_STORE_TOO_LONG, "state.dir");
    }
    AUTO_OPS_STORE struct ops_store *store = calloc(1, sizeof(*store));
    ASSERT(store != NULL);
    int rc = db_open(&(struct db_options){.path = path.data,
                                          .read_only = mode == OPS_STORE_READ,
                                          .busy_timeout_ms = OPS_BUSY_MS,
                                          .busy_rest_ms = OPS_BUSY_REST_MS,
                                          .checkpoint_pages = OPS_CHECKPOINT_PAGES,
                                          .application_id = OPS_APPLICATION_ID,
                                          .migrations = migrations,
                                          .migration_count = COUNT_OF(migrations)},
                     &store->db, err);
    if (rc == 0) {
        rc = load_key(store, state_dir, mode, err);
    }
    if (strcmp(state_dir, ":memory:") != 0) {
        store->dir = strdup(state_dir);
        ASSERT(store->dir != NULL);
    }
    if (rc == 0) {
        *ret = TAKE(store);
    }
    return rc;
}

struct db *ops_store_db(struct ops_store *store)
{
    return store->db;
}

void ops_store_free(struct ops_store *store)
{
    if (store == NULL) {
        return;
    }
    db_free(store->db);
    free(store->dir);
    secret_wipe(&store->audit_key, sizeof(store->audit_key));
    free(store);
}

int ops_store_begin(struct ops_store *store, struct err *err)
{
    return db_begin(store->db, err);
}

int ops_store_begin_unsynced(struct ops_store *store, struct err *err)
{
    return db_begin_unsynced(store->db, err);
}

int ops_store_sync(struct ops_store *store, struct err *err)
{
    return db_sync(store->db, err);
}

int ops_store_commit(struct ops_store *store, struct err *err)
{
    return db_commit(store->db, err);
}

void ops_store_rollback(struct ops_store *store)
{
    db_rollback(store->db);
}

int ops_store_change_begin(struct ops_store *store, struct ops_store_change *ret, struct err *err)
{
    *ret = (struct ops_store_change){.store = store, .part = db_in_transaction(store->db)};
    return ret->part ? db_savepoint_begin(store->db, err) : db_begin(store->db, err);
}

int ops_store_change_commit(const struct ops_store_change *change, struct err *err)
{
    struct db *db = change->store->db;
    if (!db_in_transaction(db)) {
        /* An error such as a full disk made SQLite roll back the whole transaction. */
        return err_set(err, ERR_DB_FAILED, "the transaction was rolled back");
    }
    return change->part ? db_savepoint_release(db, err) : db_commit(db, err);
}

void ops_store_change_rollback(const struct ops_store_change *change)
{
    if (change->part) {
        db_savepoint_rollback(change->store->db);
    } else {
        db_rollback(change->store->db);
    }
}

int ops_store_next_request_id(struct ops_store *store, int64_t now_us, int64_t *ret,
                              struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t last = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc < 0 || (rc = ops_store_get_i64(store, "last_request_id", 0, &last, err)) < 0) {
        return rc;
    }
    int64_t id = last >= now_us ? last + 1 : now_us;
    if ((rc = ops_store_write_i64(store, "last_request_id", id, err)) < 0 ||
        (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret = id;
    return 0;
}

static int write_value(struct ops_store *store, const char *name, struct db_value value,
                       struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO kv(name, value) VALUES (?, ?)"
                  " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                  DB_VALUES(DB_TEXT_C(name), value), err);
}

void ops_store_fingerprint(const struct ops_store *store, struct str data,
                           char ret_hex[SECRET_HASH_HEX_SIZE])
{
    ASSERT(store->has_key);
    secret_hash(&store->audit_key, data, ret_hex);
}

int ops_store_write_i64(struct ops_store *store, const char *name, int64_t value, struct err *err)
{
    return write_value(store, name, DB_I64(value), err);
}

int ops_store_get_i64(struct ops_store *store, const char *name, int64_t fallback, int64_t *ret,
                      struct err *err)
{
    return db_get_i64(store->db, "SELECT value FROM kv WHERE name = ?", DB_VALUES(DB_TEXT_C(name)),
                      fallback, ret, err);
}

int ops_store_write_text(struct ops_store *store, const char *name, struct str value,
                         struct err *err)
{
    return write_value(store, name, DB_TEXT(value), err);
}

int ops_store_get_text(struct ops_store *store, const char *name, struct buf *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT value FROM kv WHERE name = ?",
                           DB_VALUES(DB_TEXT_C(name)), &row, err);
    if (rc > 0) {
        buf_add_str(ret, row_str(&row));
    }
    return rc < 0 ? rc : 0;
}

/* ?1: delete rows older than this; ?2: at most so many. Confirmations are deleted with their
 * runs. */
static const char *const prune_by_us[] = {
    "DELETE FROM idempotency_keys WHERE (caller, key) IN (SELECT caller, key FROM idempotency_keys"
    " WHERE created_us < ?1 LIMIT ?2)",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state IN ('delivered', 'dead',"
    " 'uncertain') AND created_at_us < ?1 AND id NOT IN (SELECT outbox_id FROM live_messages)"
    " ORDER BY created_at_us LIMIT ?2)",
    "DELETE FROM command_runs WHERE id IN (SELECT id FROM command_runs WHERE state NOT IN"
    " ('confirming', 'running') AND updated_us < ?1 ORDER BY updated_us LIMIT ?2)",
    "DELETE FROM updates WHERE (channel, update_id) IN (SELECT channel, update_id FROM updates"
    " WHERE received_us < ?1 LIMIT ?2)",
    "DELETE FROM command_reads WHERE (hour_us, user, channel, command) IN (SELECT hour_us, user, "
    "channel,"
    " command FROM command_reads WHERE hour_us < ?1 LIMIT ?2)",
    "DELETE FROM audits WHERE id IN (SELECT id FROM audits WHERE finished_us < ?1"
    " ORDER BY finished_us LIMIT ?2)",
    "DELETE FROM service_samples WHERE id IN (SELECT id FROM service_samples WHERE at_us < ?1"
    " ORDER BY at_us LIMIT ?2)",
    "DELETE FROM questions WHERE id IN (SELECT id FROM questions WHERE state <> 'running' AND"
    " session_id IS NULL AND asked_us < ?1 ORDER BY asked_us LIMIT ?2)",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE closed_us BETWEEN 1 AND ?1 - 1"
    " ORDER BY id LIMIT ?2)",
    "DELETE FROM llm_calls WHERE id IN (SELECT id FROM llm_calls WHERE at_us < ?1"
    " ORDER BY at_us LIMIT ?2)",
    "DELETE FROM proposals WHERE id IN (SELECT id FROM proposals WHERE state <> 'open' AND"
    " created_us < ?1 ORDER BY created_us LIMIT ?2)",
};
static const char prune_alerts[] =
    "DELETE FROM monitoring_alerts WHERE id IN (SELECT id FROM monitoring_alerts WHERE status IN"
    " ('fixed', 'rejected') AND last_seen_at < ?1 ORDER BY last_seen_at LIMIT ?2)";

int ops_store_prune(struct ops_store *store, int64_t before_us, int64_t max_rows,
                    int64_t *ret_deleted, struct err *err)
{
    int64_t deleted = 0;
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(prune_by_us); i++) {
        rc = db_run(store->db, prune_by_us[i], DB_VALUES(DB_I64(before_us), DB_I64(max_rows)), err);
        deleted += rc == 0 ? db_changes(store->db) : 0;
    }
    if (rc == 0) {
        AUTO_BUF struct buf iso = BUF_INIT(40);
        clock_add_iso(&iso, before_us, false);
        rc = db_run(store->db, prune_alerts, DB_VALUES(DB_TEXT(buf_str(&iso)), DB_I64(max_rows)),
                    err);
        deleted += rc == 0 ? db_changes(store->db) : 0;
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_deleted = deleted;
    return 0;
}

int ops_store_clock_went_back(struct ops_store *store, int64_t back_us, struct err *err)
{
    static const char *const shifts[] = {
        "UPDATE outbox SET not_before_us = max(not_before_us - ?1, 0) WHERE state = 'queued'",
        "UPDATE confirmations SET expires_us = max(expires_us - ?1, 0) WHERE used = 0",
        "UPDATE proposals SET expires_us = max(expires_us - ?1, 0) WHERE state = 'open'",
    };
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(shifts); i++) {
        rc = db_run(store->db, shifts[i], DB_VALUES(DB_I64(back_us)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int ops_store_checkpoint(struct ops_store *store, struct err *err)
{
    return db_checkpoint(store->db, err);
}

int ops_store_restore_if_moved(struct ops_store *store, struct err *err)
{
    return db_restore_if_moved(store->db, err);
}

void ops_store_log_work(struct ops_store *store, const char *when)
{
    row_log_work(store->db, "ops.db", when);
}

int ops_store_check(struct ops_store *store, struct err *err)
{
    return db_quick_check(store->db, err);
}

void ops_store_on_change(struct ops_store *store, ops_store_change_fn fn, void *userdata)
{
    db_on_change(store->db, fn, userdata);
}

void ops_store_set_fault(struct ops_store *store, ops_store_fault_fn fn, void *userdata)
{
    db_set_fault(store->db, fn, userdata);
}
