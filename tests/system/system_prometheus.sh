#!/bin/sh
# /metrics against a real Prometheus: both text forms, every expression of the dashboards, recording
# rules and alert rules, and the way of an alert: Prometheus, Alertmanager, our webhook, /api/v1/alerts.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
config=$(cd "$here/../../config" && pwd)
for program in prometheus promtool amtool prometheus-alertmanager python3 curl; do
    command -v $program > /dev/null ||
        skip_all "a real Prometheus" "no $program on this machine: make deps-test installs it"
done
cd "$WORK" || exit 1

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
api=$(free_port) prom=$(free_port) manager=$(free_port)
token=prometheus-test-token-0123456789
echo $token > token

# ---- the files themselves
cp "$config"/prometheus/*.yml "$here/prometheus_alerts_test.yml" .
sed -i "s|/etc/prometheus/nightdesk.token|$WORK/token|" prometheus.yml
tap_check "promtool accepts the example configuration and the rules" promtool check config prometheus.yml
tap_check "amtool accepts the example of Alertmanager" amtool check-config "$config/alertmanager/alertmanager.yml"
promtool test rules prometheus_alerts_test.yml > rules.out 2>&1 &
rules=$!
untested() { # alerts without a test
    sed -n 's/^ *- alert: //p' nightdesk.alerts.yml | while read -r name; do
        grep -q "alertname=\"$name\", alertstate" prometheus_alerts_test.yml || echo "$name"
    done | grep . && return 1
    return 0
}
tap_check "every alert has a test" untested

# ---- the real programs; the times of the examples are shortened
cat > nightdesk.yaml <<YAML
api: {port: $api, token: $token}
market: {seed: 7, speed: 3600}
monitoring: {check_interval: 1s, confirm_interval: 200ms, start_grace: 0s}
services:
  broken: {url: "http://127.0.0.1:9", health_endpoint: /}
  api: {url: "http://127.0.0.1:$api", health_endpoint: /healthz}
YAML
"$ND" run --no-console --config nightdesk.yaml --state state < /dev/null > nightdesk.out 2>&1 &
kill_at_exit $!
sed -i "s/15s/1s/; s/127.0.0.1:8088/127.0.0.1:$api/; s/127.0.0.1:9093/127.0.0.1:$manager/" prometheus.yml
sed -i 's/^\( *for:\) .*/\1 1s/' nightdesk.alerts.yml
sed "s|/etc/alertmanager/nightdesk.token|$WORK/token|; s/127.0.0.1:8088/127.0.0.1:$api/
     s/^  group_wait: .*/  group_wait: 1s/; s/^  group_interval: .*/  group_interval: 1s/
     s/job=\"nightdesk\"/job=\"none\"/" "$config/alertmanager/alertmanager.yml" > alertmanager.yml
prometheus-alertmanager --config.file=alertmanager.yml --storage.path=manager \
    --web.listen-address=127.0.0.1:"$manager" --cluster.listen-address= > manager.out 2>&1 &
kill_at_exit $!
ask() { curl -sf -H "Authorization: Bearer $token" "$@"; }
prometheus_query() { curl -sf "http://127.0.0.1:$prom/api/v1/query" --data-urlencode "query=$1"; }
wait_for 20 ask "http://127.0.0.1:$api/metrics"
prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --enable-feature=exemplar-storage \
    --web.listen-address=127.0.0.1:"$prom" > prometheus.out 2>&1 &
kill_at_exit $!

# ---- what is scraped
ask "http://127.0.0.1:$api/metrics" > classic.txt
ask -H 'Accept: application/openmetrics-text; version=1.0.0' "http://127.0.0.1:$api/metrics" > open.txt
lint() { promtool check metrics < classic.txt && [ "$(tail -n 1 open.txt)" = "# EOF" ]; }
tap_check "promtool finds nothing to say about the metrics" lint
documented() { # the families of both sides, in full
    sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' classic.txt | sort > families
    sed -n 's/^| `\([a-z_]*\)` .*/\1/p' "$here/../../docs/metrics.md" | sort > pages
    diff families pages
}
tap_check "docs/metrics.md lists exactly the metrics that there are" documented

# ---- every expression
fed() { prometheus_query 'nightdesk:decisions_vetoed:ratio_1h' | grep -q '"value"' &&
    prometheus_query 'count(nightdesk_position_notional_usd) and sum(nightdesk_trades_total) > 1' | grep -q '"value"'; }
tap_check "Prometheus scrapes it" wait_for 30 fed
tap_check "every expression of dashboards and rules gives data" \
    python3 "$here/prometheus_expressions.py" "http://127.0.0.1:$prom" "$config"/grafana/*.json
scraped() { prometheus_query "scrape_samples_scraped{job=\"nightdesk\"} < 1000 and on () up == 1" | grep -q '"value"'; }
tap_check "the number of samples is bounded" scraped

# ---- the way of an alert
firing() { curl -sf "http://127.0.0.1:$prom/api/v1/alerts" | grep -q '"alertname":"NightdeskServiceDown".*"state":"firing"'; }
tap_check "a service that is down fires an alert in Prometheus" wait_for 20 firing
taken() { ask "http://127.0.0.1:$api/api/v1/alerts" | grep -q '"source":"alertmanager".*The service broken is down\|The service broken is down.*"source":"alertmanager"'; }
tap_check "Alertmanager hands it to nightdesk" wait_for 20 taken
tap_check "promtool: each alert fires when it should, and a healthy nightdesk raises none" wait $rules
tap_end
