#include "api_metrics.h"
#include "base/check.h"
#include "config/config.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/outbox_table.h"
#include "store/sample_table.h"

#include <stdlib.h>

/* A service without a check for so many intervals is not checked any more. */
#define CHECKS_MISSED 3
#define FRESH_MIN_US  USEC_PER_MIN

static uint64_t count_of(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* ---------------------------------------------------------------- the ops thread */

static void write_loop(struct api_scrape *s)
{
    const struct shared *shared = s->shared;
    api_metrics_histogram(s, "nightdesk_ops_loop_absence_seconds",
                          "From a wake-up of the ops loop until it waits again.",
                          &shared->telemetry.loop);
    api_metrics_double(
        s, "nightdesk_ops_loop_longest_absence_seconds",
        "The longest absence since the start, without time in which no CPU was free.",
        (double)atomic_load_explicit(&shared->ops_away_us, memory_order_relaxed) /
            (double)USEC_PER_SEC);
    api_metrics_u64(s, "nightdesk_ops_loop_absences_over_limit", EXPOSITION_COUNTER,
                    "Absences of more than 50 ms.", count_of(&shared->ops_absences));
    exposition_family(&s->out, "nightdesk_telegram_state", EXPOSITION_GAUGE,
                      "1 for the present state of the Telegram channel.");
    int now = atomic_load_explicit(&shared->telegram, memory_order_relaxed);
    for (int state = CHAT_OFF; state <= CHAT_REFUSED; state++) {
        exposition_u64(&s->out, state == now ? 1 : 0,
                       EXPOSITION_LABELS({"state", chat_state_name((enum chat_state)state)}));
    }
}

static void write_work(struct api_scrape *s)
{
    const struct telemetry *t = &s->shared->telemetry;
    api_metrics_histogram(s, "nightdesk_command_duration_seconds",
                          "Duration of a command, without the time until it was confirmed.",
                          &t->command);
    exposition_family(&s->out, "nightdesk_commands", EXPOSITION_COUNTER,
                      "Commands that ended, by outcome.");
    exposition_u64(&s->out, count_of(&t->runs_done), EXPOSITION_LABELS({"outcome", "done"}));
    exposition_u64(&s->out, count_of(&t->runs_failed), EXPOSITION_LABELS({"outcome", "failed"}));
    api_metrics_histogram(s, "nightdesk_telegram_reply_seconds",
                          "From receiving a message from Telegram to the first reply delivered.",
                          &t->reply);
    api_metrics_histogram(s, "nightdesk_telegram_request_seconds",
                          "Duration of a request to Telegram, without long polls.",
                          &t->telegram.took);
    api_metrics_u64(s, "nightdesk_telegram_request_failures", EXPOSITION_COUNTER,
                    "Requests to Telegram without a whole response.",
                    count_of(&t->telegram.failed));
    api_metrics_histogram(s, "nightdesk_http_request_seconds",
                          "Duration of any other HTTP request that nightdesk sends.",
                          &t->http.took);
    api_metrics_u64(s, "nightdesk_http_request_failures", EXPOSITION_COUNTER,
                    "HTTP requests of nightdesk without a whole response.",
                    count_of(&t->http.failed));
}

static void write_model(struct api_scrape *s)
{
    const struct telemetry *t = &s->shared->telemetry;
    api_metrics_histogram(s, "nightdesk_llm_request_seconds",
                          "Duration of a request to the language model.", &t->model);
    api_metrics_u64(s, "nightdesk_llm_request_failures", EXPOSITION_COUNTER,
                    "Requests to the language model without a whole answer.",
                    count_of(&t->model_failed));
    exposition_family(&s->out, "nightdesk_llm_tokens", EXPOSITION_COUNTER,
                      "Tokens of the language model, by direction.");
    exposition_u64(&s->out, count_of(&t->model_input_tokens),
                   EXPOSITION_LABELS({"direction", "input"}));
    exposition_u64(&s->out, count_of(&t->model_output_tokens),
                   EXPOSITION_LABELS({"direction", "output"}));
    exposition_family(&s->out, "nightdesk_llm_cost_usd", EXPOSITION_COUNTER,
                      "Cost of the requests to the language model whose price is known.");
    exposition_dec(&s->out, (struct dec){(int64_t)count_of(&t->model_cost_e8)}, NULL);
}

static void write_traces(struct api_scrape *s)
{
    const struct telemetry *t = &s->shared->telemetry;
    api_metrics_u64(s, "nightdesk_trace_spans", EXPOSITION_COUNTER,
                    "Spans that the collector of traces has taken.", count_of(&t->spans_sent));
    api_metrics_u64(
        s, "nightdesk_trace_spans_lost", EXPOSITION_COUNTER,
        "Spans that were dropped: a queue was full, or the collector did not take them.",
        count_of(&t->spans_lost) + tracer_dropped(t->tracer));
}

/* ---------------------------------------------------------------- ops.db */

static void write_alerts(struct api_scrape *s)
{
    int64_t counts[SEVERITY_CRITICAL + 1];
    struct alert_findings findings = {0};
    struct err err = {0};
    exposition_family(&s->out, "nightdesk_alerts_open", EXPOSITION_GAUGE,
                      "Alerts that are open or acknowledged, by severity.");
    if (alert_table_counts(s->listener->stores.ops, counts, &err) >= 0) {
        for (int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
            exposition_i64(&s->out, counts[i],
                           EXPOSITION_LABELS({"severity", severity_name((enum severity)i)}));
        }
    }
    exposition_family(&s->out, "nightdesk_findings", EXPOSITION_GAUGE,
                      "Findings of the auditor that are stored, by what became of them.");
    if (alert_table_findings(s->listener->stores.ops, 0, &findings, &err) >= 0) {
        exposition_i64(&s->out, findings.open, EXPOSITION_LABELS({"status", "open"}));
        exposition_i64(&s->out, findings.fixed, EXPOSITION_LABELS({"status", "fixed"}));
        exposition_i64(&s->out, findings.wontfix, EXPOSITION_LABELS({"status", "wontfix"}));
        exposition_i64(&s->out, findings.rejected, EXPOSITION_LABELS({"status", "rejected"}));
    }
}

static void write_outbox(struct api_scrape *s)
{
    struct outbox_waiting waiting = {0};
    struct err err = {0};
    if (outbox_table_waiting(s->listener->stores.ops, &waiting, &err) < 0) {
        return;
    }
    api_metrics_u64(s, "nightdesk_outbox_messages", EXPOSITION_GAUGE,
                    "Messages that are not delivered yet.", (uint64_t)waiting.count);
    double age_s = waiting.oldest_us == 0 || waiting.oldest_us > s->now_wall_us
                       ? 0
                       : (double)(s->now_wall_us - waiting.oldest_us) / (double)USEC_PER_SEC;
    api_metrics_double(s, "nightdesk_outbox_oldest_age_seconds",
                       "How long the oldest of them has waited; 0 if none waits.", age_s);
}

static void write_services(struct api_scrape *s)
{
    int64_t every_us =
        atomic_load_explicit(&s->shared->check_interval_us, memory_order_relaxed) * CHECKS_MISSED;
    int64_t fresh_us = every_us > FRESH_MIN_US ? every_us : FRESH_MIN_US;
    struct err err = {0};
    AUTO_FREE struct service_sample *samples = calloc(CONFIG_SERVICES_MAX, sizeof(*samples));
    ASSERT(samples != NULL);
    int count = sample_table_newest(s->listener->stores.ops, s->now_wall_us - fresh_us, samples,
                                    CONFIG_SERVICES_MAX, &err);
    exposition_family(&s->out, "nightdesk_service_up", EXPOSITION_GAUGE,
                      "1 if the newest check of a service succeeded, 0 if it failed.");
    for (int i = 0; i < count; i++) {
        exposition_u64(&s->out, samples[i].up ? 1 : 0,
                       EXPOSITION_LABELS({"service", samples[i].service}));
    }
    exposition_family(&s->out, "nightdesk_service_check_seconds", EXPOSITION_GAUGE,
                      "How long the newest check of a service took, if it succeeded.");
    for (int i = 0; i < count; i++) {
        if (samples[i].up && samples[i].latency_us > 0) {
            exposition_double(&s->out, (double)samples[i].latency_us / (double)USEC_PER_SEC,
                              EXPOSITION_LABELS({"service", samples[i].service}));
        }
    }
}

void api_metrics_ops(struct api_scrape *s)
{
    struct err err = {0};
    write_loop(s);
    write_work(s);
    write_model(s);
    write_traces(s);
    bool readable = api_need_ops(&s->listener->stores, &err) >= 0;
    api_metrics_u64(
        s, "nightdesk_ops_database_readable", EXPOSITION_GAUGE,
        "0 if ops.db cannot be read: alerts, findings, outbox and services are missing.",
        readable ? 1 : 0);
    if (readable) {
        write_alerts(s);
        write_outbox(s);
        write_services(s);
    }
}
