"""Evaluates every expression of the dashboards and of the rules at a running Prometheus.

    prometheus_expressions.py http://127.0.0.1:9090 config/grafana/*.json

Prints one line for each expression that is refused, or that gives no data although it is no alert;
exits with 1 if there is any. An alert is only evaluated: that it fires is the matter of
prometheus_alerts_test.yml. Panels of what did not happen (a language model, Telegram) give NaN: that
is a sample.
"""
import json
import sys
import urllib.parse
import urllib.request


def get(base, path, **query):
    url = base + path + "?" + urllib.parse.urlencode(query)
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def expressions(files):
    for name in files:
        with open(name, encoding="utf-8") as file:
            board = json.load(file)
        for panel in board["panels"]:
            assert panel["targets"], panel["title"]
            for target in panel["targets"]:
                text = target["expr"].replace("$instance", ".*")
                yield f"{board['title']}: {panel['title']}", text
        for note in board["annotations"]["list"]:
            yield f"{board['title']}: {note['name']}", None, note["expr"].replace("$instance", ".*")


def main():
    base, files = sys.argv[1], sys.argv[2:]
    todo, alerts = [], []
    for entry in expressions(files):
        (todo if entry[1] is not None else alerts).append((entry[0], entry[-1]))
    for group in get(base, "/api/v1/rules")["data"]["groups"]:
        for rule in group["rules"]:
            is_alert = rule["type"] == "alerting"
            (alerts if is_alert else todo).append((rule["name"], rule["query"]))
            if rule["health"] != "ok":
                print(f"{rule['name']}: {rule['health']}: {rule.get('lastError')}")
    bad = 0
    for name, text in todo + alerts:
        answer = get(base, "/api/v1/query", query=text)
        found = answer.get("data", {}).get("result")
        if answer["status"] != "success" or (not found and (name, text) not in alerts):
            print(f"{name}: {text}: {answer.get('error', 'no data')}")
            bad += 1
    print(f"{len(todo)} expressions, {len(alerts)} alerts, {bad} bad")
    return 1 if bad or not todo or not alerts else 0


if __name__ == "__main__":
    sys.exit(main())
