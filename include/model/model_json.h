/*
 * model_json.h: the JSON of every entity; docs/json.md lists the fields with their types and units.
 *
 *     struct json_out out = JSON_OUT(&body);
 *     json_out_document(&out, "nightdesk.state/1");
 *     model_json_snapshot(&out, snapshot);                // members of the open object
 *     json_out_end(&out);
 *
 * Each function writes the members of one entity into the object that is open, so that a caller may
 * add members of its own beside them; model_json_…s writes an array. The API, replies, the
 * auditor's report, replay and back-test all write an entity here, so a field has one name
 * everywhere. Names: `id` is the entity's own id, `<entity>_id` refers to another; a time ends in
 * _at or _since (or is `since`), a percentage in _pct (2.5 is 2.5 %, at most six places), a
 * duration in its unit. Times of the market are market time, all others wall time. Thread: any.
 */
#pragma once

#include "base/err.h"
#include "io/json_out.h"
#include "model/alert.h"
#include "model/decision.h"
#include "model/finding.h"
#include "model/position.h"
#include "model/rule.h"
#include "model/run.h"
#include "model/snapshot.h"

/* Everything but risk, which only /risk shows. */
void model_json_snapshot(struct json_out *out, const struct snapshot *s);
void model_json_account(struct json_out *out, const struct snapshot *s);
void model_json_positions(struct json_out *out, const char *key, const struct snapshot *s);
void model_json_foreign(struct json_out *out, const char *key, const struct snapshot *s);
void model_json_position(struct json_out *out, const struct snapshot *s, int index);
void model_json_order(struct json_out *out, const struct order *o);
void model_json_fill(struct json_out *out, const struct fill *f);
void model_json_trade(struct json_out *out, const struct trade *t);
/* Without the votes, which are most of it. */
void model_json_decision(struct json_out *out, const struct decision *d);
void model_json_votes(struct json_out *out, const char *key, const struct decision *d);
void model_json_rule(struct json_out *out, const struct rule *rule);
void model_json_alert(struct json_out *out, const struct alert *alert);
/* fingerprint: of the finding, as the auditor makes it. */
void model_json_finding(struct json_out *out, const struct finding *finding,
                        const char *fingerprint);
void model_json_evidence(struct json_out *out, const char *key, const struct finding *finding);
void model_json_finding_check(struct json_out *out, const struct finding_check *check);
void model_json_run(struct json_out *out, const struct run_row *row);
/* The member of a run that waits for the approval of another person: by `confirm CODE`. asked: of a
 * step `approve`; NULL: the whole run. */
void model_json_approval(struct json_out *out, const char *code, int64_t expires_us,
                         const char *asked);
void model_json_step(struct json_out *out, const struct run_step *step);
/* The row of the catalogue and the context. */
void model_json_err(struct json_out *out, const struct err *err);
/* The members after its code and type, for a form that names these otherwise. */
void model_json_err_rest(struct json_out *out, const struct err *err);

void model_json_pct(struct json_out *out, const char *key, double value);
