/*
 * analyze.h: what is behind an alert: gathers what the person may read about it, ranks the causes
 * that code can tell, and has a model weigh hypotheses against quotes, each of which is looked up.
 * Private to this module.
 *
 *     analyze_begin(q);            // the first reading; q->alert_id is set
 *     analyze_go_on(q);            // after each: the next one, then the model or the ranked causes
 *
 * Always true: a hypothesis is the root cause only if a quote for it is in the document it names,
 * and one without such a quote is unlikely; the runbook is one that code has chosen for the service
 * of the alert. Without a model, and when it fails, the causes that code can tell are the answer.
 * Thread: ops.
 */
#pragma once

struct ask;

void analyze_begin(struct ask *q);
void analyze_go_on(struct ask *q);
