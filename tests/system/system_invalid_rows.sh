#!/bin/sh
# Invalid rows in every table of ops.db: the daemon starts, commands answer, and each row that was set
# aside is reported.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
if ! command -v sqlite3 > /dev/null; then
    tap_skip "invalid rows" "no sqlite3 on this machine"
    tap_end
fi

printf '/status\n/audit\n' | timeout 60 "$ND" run --config "$WORK/quiet.yaml" \
    --state "$WORK/good" > "$WORK/out" 2>&1
number=0
odd() { # TABLE SQL
    number=$((number + 1))
    rm -rf "$WORK/state"
    cp -r "$WORK/good" "$WORK/state"
    if ! sqlite3 "$WORK/state/ops.db" "PRAGMA foreign_keys = OFF; $2" > "$WORK/out" 2>&1; then
        tap_check "$1: the row is written" false
        return
    fi
    printf '/pause\n/status\n/version\n' | timeout 60 "$ND" run --config "$WORK/quiet.yaml" \
        --state "$WORK/state" > "$WORK/out" 2>&1
    code=$?
    tap_check "$1: the daemon starts and exits with 0 ($number)" test $code -eq 0
    tap_check "$1: commands answer ($number)" contains "$WORK/out" "Equity"
    tap_check "$1: commands that change something as well ($number)" contains "$WORK/out" "paused"
}

run="INSERT INTO command_runs(id, command, args, user_id, user_name, role, channel, chat_id, state, step,
     created_us, updated_us, result, error_code) VALUES"
odd command_runs "$run (901, 'gone', '{', 'x', x'ff', 'king', 'nowhere', 'y', 'running', 'z', 1, 1,
     '', '')"
odd command_runs "$run (901, printf('%.999c', 'x'), '{}', 1, 'a', 'admin', 'console', 1, 'running',
     0, 1, 1, '', 'NO_CODE')"
odd run_steps "$run (901, 'pause', '{}', 1, 'a', 'admin', 'console', 1, 'running', 0, 1, 1, '', '');
     INSERT INTO run_steps(run_id, idx, action, state, started_us, ended_us, result) VALUES (901, 0, printf('%.999c', 'x'), 'weird', 'a', 'b', '')"
odd confirmations "$run (901, 'pause', '{}', 1, 'a', 'admin', 'console', 1, 'done', 0, 1, 1, '', '');
     INSERT INTO confirmations(nonce, run_id, user_id, channel, chat_id, outbox_id, expires_us, used)
     VALUES ('AAAAAA', 901, 1, 'console', 1, 0, 1, 0)"
tap_check "confirmations: it is said what was set aside" \
    contains "$WORK/out" "1 open confirmations belong to no waiting run"
tap_check "confirmations: nobody can use it any more" \
    test "$(sqlite3 "$WORK/state/ops.db" "SELECT used FROM confirmations WHERE nonce = 'AAAAAA'")" = 1
odd confirmations "INSERT INTO confirmations(nonce, run_id, user_id, channel, chat_id, outbox_id,
     expires_us, used) VALUES (NULL, 4711, 'x', 'nowhere', 'y', 'z', 'soon', 0)"
odd outbox "INSERT INTO outbox(channel, chat_id, kind, priority, payload, run_id, created_at_us,
     not_before_us, edit_of) VALUES ('console', 1, 'weird', -5, '{', 0, 'x', 0, 'y')"
odd updates "INSERT INTO updates VALUES ('nowhere', 'x', 'y')"
odd kv "INSERT OR REPLACE INTO kv VALUES ('last_request_id', NULL), ('prune_last_us', 'never'),
     ('audit_last_us', x'ff'), ('audit_head', 'broken'), ('audit.head', 7)"
odd audits "UPDATE audits SET verdict = printf('%.9999c', 'x'), note = printf('%.9999c', 'x')"
odd llm_calls "INSERT INTO llm_calls VALUES (901, 9e18, printf('%.999c', 'x'), 'a', -1, 'b', 'c', 'dear',
     'slow', printf('%.9999c', 'x'), 'NO_CODE', x'ff', '', '')"
odd monitoring_alerts "INSERT INTO monitoring_alerts(alert_type, severity, title, description,
     evidence, recommendation, status, created_at, fingerprint, source, last_seen_at) VALUES
     ('weird', 'worse', 't', 'd', 'e', 'r', 'open', 'then', 'engine:stale', 'engine', 'now')"
odd alert_messages "INSERT INTO alert_messages(alert_id, channel, chat_id, outbox_id, form)
     VALUES (4711, 'nowhere', 1, 4711, 'odd')"
odd live_messages "INSERT INTO live_messages VALUES ('nowhere', 'x', 'y', 'z', printf('%.999c', 'x'), 'then',
     'w')"
odd service_samples "INSERT INTO service_samples(service, at_us, up, latency_us, detail) VALUES
     ('nowhere', 'then', 'maybe', 'x', '')"
odd metrics "INSERT INTO metric_series VALUES (901, 'host', 'cpu_pct', 'then'), (902, '', '', 9e18);
     INSERT INTO metric_detail VALUES ('now', 901, 'much'), (9e18, 'x', x'ff'), (1, 4711, 9e999);
     INSERT INTO metric_hour VALUES (-1, 901, 5, 'x', 3, -7);
     UPDATE metric_levels SET rows = 'many' WHERE level = 0; DELETE FROM metric_levels WHERE level = 1"
odd sessions "INSERT INTO sessions VALUES (901, printf('%.999c', 'x'), 'then', 5, 0, '', x'ff', 'y', '');
     INSERT INTO sessions VALUES (902, '', 1, 'soon', 0, '', '', 4711, 'nothing');
     INSERT INTO session_members VALUES (901, 'x', 'nowhere', 'y', '', '', 'z', 'w');
     INSERT INTO session_events VALUES (901, 901, 'then', 'odd', '', printf('%.9999c', 'x'))"
odd audit_log "INSERT INTO audit_log VALUES (99999, 'then', 'x', 'y', 'z', 'w', 'v', 'u', 't')"
tap_end
