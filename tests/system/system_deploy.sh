#!/bin/sh
# Releases of a child process: pack, sign, verify, stage from a file and a URL, deploy, automatic roll
# back, roll back by hand, hostile and unsigned artefacts, a full disk, and kill -9 during a deploy.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1
root=$WORK/root
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
web=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# A release is a program that answers /health, with its version in a file; "bad" ones exit at once,
# "brief" ones after a while.
make_release() { # VERSION good|bad|brief
    mkdir -p "app-$1/bin" && echo "$1" > "app-$1/version"
    if [ "$2" = good ]; then
        printf '#!/bin/sh\necho started %s\nexec "%s" demo-service --port %s\n' "$1" "$ND" "$port"
    elif [ "$2" = brief ]; then
        printf '#!/bin/sh\n"%s" demo-service --port %s & sleep 1\nkill $!\nexit 3\n' "$ND" "$port"
    else
        printf '#!/bin/sh\necho "cannot start: no model in release %s"\nexit 3\n' "$1"
    fi > "app-$1/bin/serve"
    chmod +x "app-$1/bin/serve"
    printf -- '--- a/version\n+++ b/version\n@@ -1 +1 @@\n-old\n+%s\n' "$1" > change.diff
    "$ND" release pack "app-$1" --name app --version "$1" --diff change.diff > /dev/null &&
        "$ND" release sign "app-$1.tar.gz" --key release.key > /dev/null
}
"$ND" release key release.key > public
"$ND" release key other.key > other
for v in 1.0 1.1 1.3 1.4 1.5; do make_release $v good; done
make_release 1.2 bad
make_release 1.25 brief
tap_check "a signed release is verified with its key" "$ND" release verify app-1.0.tar.gz --key public
tap_check "and not with another key" sh -c "! '$ND' release verify app-1.0.tar.gz --key other"

cat > conf.yaml <<YAML
api: {port: 0}
market: {seed: 7}
monitoring: {check_interval: 1s}
services:
  app:
    command: ["$root/current/bin/serve"]
    url: "http://127.0.0.1:$port"
    release_root: "$root"
    release_keys: [$(cut -d' ' -f2 public)]
    release_urls: ["http://127.0.0.1:$web/good/"]
    release_token: nightly-token
    release_keep: 3
  list:
    command: [sh, -c, "trap 'cat $WORK/list/current/version >> $WORK/seen' HUP; while :; do sleep 0.05; done"]
    release_root: "$WORK/list"
    release_name: app
    release_keys: [$(cut -d' ' -f2 public)]
    release_apply: reload
YAML
mkdir -p served/good/slow && cp app-1.1.tar.gz app-1.1.tar.gz.sig served/good/
cp served/good/app-* served/good/slow/
cat > serve.py <<'PY'
import http.server, sys, time
class H(http.server.SimpleHTTPRequestHandler):
    # /good/to/WHERE/FILE leads to: good and host, the same file with or without a query, where no token may be
    # sent; away, to another scheme and host; loop, to itself; FILE?signature= needs its own signature.
    def do_GET(self):
        path, _, query = self.path.partition("?")
        token = self.headers.get("Authorization") == "Bearer nightly-token"
        name = path.rsplit("/", 1)[1]
        if "/to/" in path and token or "/to/loop/" in path:
            where = path.split("/to/")[1].split("/")[0]
            self.send_response(302)
            self.send_header("Location", {
                "signed": "/store/%s?X-Sig=key-%s" % (name, name),
                "host": "http://127.0.0.2:%s/store/%s?X-Sig=key-%s" % (sys.argv[1], name, name),
                "https": "https://127.0.0.1:9/store/%s?X-Sig=secretkeyvalue" % name,
                "file": "file:///etc/passwd",
                "loop": path}[where])
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b"elsewhere")
        elif path.startswith("/store/"):
            if query != "X-Sig=key-" + name or self.headers.get("Authorization"):
                self.send_error(403)
            else:
                self.path = "/good/" + name
                super().do_GET()
        elif not token or (query and query != "X-Sig=key-" + name):
            self.send_error(401)
        else:
            time.sleep(1 if "slow" in self.path else 0)
            super().do_GET()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
PY
(cd served && exec python3 ../serve.py "$web" > /dev/null 2>&1) &
kill_at_exit $!

start() {
    "$ND" run --no-console --config conf.yaml --state state < /dev/null >> log 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 grep -q "ready in" log
}
ask() { "$ND" do --config conf.yaml --state state "$@" > out 2>&1; }
run_of() { # COMMAND: the run of it that is under way
    ask --json runs
    python3 -c 'import json, sys; print([r["id"] for r in json.load(open("out"))["data"]["runs"] if r["state"] == "running" and r["command"] == sys.argv[1]][0])' "$1"
}
current() { readlink "$root/current"; }
hidden() { find "$root" -name '.unpack-*' -o -name '.current-*' -o -path '*/incoming/*'; }

start
tap_check "a release is staged from a file" ask stage app "$WORK/app-1.0.tar.gz"
tap_check "which shows who signed it" contains out "$(cut -d' ' -f2 public | cut -c1-16)"
tap_check "and switches nothing" test ! -e "$root/current"
ask deploy app 1.0
tap_check "the prompt shows version and signer" contains out "$(cut -d' ' -f2 public | cut -c1-16)"
tap_check "the prompt shows the hash" contains out "$(sha256sum app-1.0.tar.gz | cut -c1-16)"
tap_check "the prompt shows what it replaces" contains out "nothing"
tap_check "it is deployed" ask deploy app 1.0 steady=100ms --yes
tap_check "the link leads to it" test "$(current)" = releases/1.0
tap_check "a release is staged from a URL" ask stage app "http://127.0.0.1:$web/good/app-1.1.tar.gz"
tap_check "a URL elsewhere is refused" sh -c "! '$ND' do --config conf.yaml --state state stage app http://127.0.0.1:$web/app-1.1.tar.gz > out 2>&1"
tap_check "and named" contains out RELEASE_URL

# Redirects and signed URLs.
from() { # PATH...: stages from there, after the folder was emptied
    rm -rf "$root/releases/1.1"
    ask stage app "http://127.0.0.1:$web/good/$1" ${2:+"$2"}
}
is_staged() { [ -x "$root/releases/1.1/bin/serve" ]; }
from to/signed/app-1.1.tar.gz
tap_check "a redirect to a signed URL is followed, without the token" is_staged
from to/loop/app-1.1.tar.gz
tap_check "a circle of redirects ends" contains out RELEASE_REDIRECT
for where in host https file; do
    from to/$where/app-1.1.tar.gz
    tap_check "a redirect to another $where is refused" contains out RELEASE_REDIRECT
done
tap_check "and nothing of it is left" test -z "$(hidden)"
from "app-1.1.tar.gz?X-Sig=key-app-1.1.tar.gz" "signature=http://127.0.0.1:$web/good/app-1.1.tar.gz.sig?X-Sig=key-app-1.1.tar.gz.sig"
tap_check "a signed URL with one of its signature is fetched" is_staged
from "app-1.1.tar.gz?X-Sig=key-app-1.1.tar.gz"
tap_check "without that the error says what is missing" contains out "a signed URL of its own"
from "app-1.1.tar.gz?X-Sig=a#b"
tap_check "a fragment is refused" contains out RELEASE_URL
from "app-1.1.tar.gz?X-Sig=***"
tap_check "a query that was not kept is named" contains out "its query was not kept"
ask stage nobody "http://127.0.0.1:$web/good/app-1.1.tar.gz?X-Sig=key-app-1.1.tar.gz"
tap_check "no signature of a URL is shown or stored" sh -c "! grep -rqE 'key-app|secretkeyvalue' log state out"
tap_check "but which URL it was" sh -c "cat state/ops.db* | grep -aq 'app-1.1.tar.gz?X-Sig=\*\*\*'"
from app-1.1.tar.gz
tap_check "the newest is deployed" ask deploy app steady=100ms --yes
tap_check "the reply says nothing of the colours that it has not" lacks out idle
tap_check "the reply says what it changes" contains out "Diff: 1 files, 1 lines added, 1 removed"
tap_check "and that nobody has reviewed it" contains out "No review was made: there is no key of Claude"
tap_check "what is no diff is refused" sh -c "! '$ND' release pack app-1.0 --version 1 --name app --diff conf.yaml > out 2>&1"
tap_check "the link leads to the newest" test "$(current)" = releases/1.1
tap_check "no token is shown or stored" sh -c "! grep -rq nightly-token log state out"

# A service that reads its files again on SIGHUP.
ask stage list "$WORK/app-1.0.tar.gz"
before=$(pgrep -f "$WORK/list/current")
ask deploy list steady=100ms --yes
tap_check "a reload is enough for a service that wants it" wait_for 5 grep -qx 1.0 seen
tap_check "it was not restarted" test "$before" = "$(pgrep -f "$WORK/list/current")"

# A release that never becomes healthy.
ask stage app "$WORK/app-1.2.tar.gz"
ask deploy app 1.2 within=2s steady=100ms --yes
tap_check "an unhealthy release is rolled back" test "$(current)" = releases/1.1
tap_check "the reply has the last lines of the log" contains out "no model in release 1.2"
tap_check "the reply names the failing check" contains out SERVICE_UNHEALTHY
ask alerts
tap_check "an alert says so" contains out "deploy of app 1.2 failed; 1.1 is back"
tap_check "what was put back is healthy" curl -sf "http://127.0.0.1:$port/health"

ask releases app
tap_check "and the release is shown as failed" contains out failed

# A release that is healthy at first.
ask stage app "$WORK/app-1.25.tar.gz"
ask deploy app 1.25 within=2s steady=3s --yes
tap_check "one that ends soon after it was healthy is rolled back" test "$(current)" = releases/1.1
tap_check "and the reply says that it has ended" contains out "SERVICE_UNHEALTHY"

# A deploy that is cancelled while it waits.
"$ND" do --config conf.yaml --state state deploy app 1.2 within=30s steady=100ms --yes > one 2>&1 &
one=$!
is_switched() { [ "$(current)" = releases/1.2 ]; }
wait_for 5 is_switched
sleep 0.3
ask cancel "$(run_of deploy)"
wait $one
tap_check "a cancelled deploy is undone" test "$(current)" = releases/1.1
tap_check "and what was put back is healthy" curl -sf "http://127.0.0.1:$port/health"

# What is refused leaves nothing.
cp app-1.3.tar.gz cut-1.3.tar.gz && head -c 100 app-1.3.tar.gz > app-9.0.tar.gz && cp app-1.3.tar.gz.sig app-9.0.tar.gz.sig
ask stage app "$WORK/app-9.0.tar.gz"
tap_check "an artefact cut short is refused" contains out RELEASE_SIGNATURE
rm app-9.0.tar.gz.sig
ask stage app "$WORK/app-9.0.tar.gz"
tap_check "an unsigned one is refused" contains out RELEASE_UNSIGNED
"$ND" release sign app-9.0.tar.gz --key other.key > /dev/null
ask stage app "$WORK/app-9.0.tar.gz"
tap_check "one signed by somebody else is refused" contains out "not in release_keys"
mkdir evil && ln -s /etc evil/link && tar -czf app-9.1.tar.gz -C evil . && "$ND" release sign app-9.1.tar.gz --key release.key > /dev/null
ask stage app "$WORK/app-9.1.tar.gz"
tap_check "a hostile one is refused though it is signed" contains out "link: the link leads to an absolute path"
tar -cJf app-8.0.tar.xz -C app-1.3 . && "$ND" release sign app-8.0.tar.xz --key release.key > /dev/null
tap_check "a tar.xz is staged" ask stage app "$WORK/app-8.0.tar.xz"
tap_check "nothing is left behind" test -z "$(hidden)"

# Two operators at once: the second is refused while the first one's download is under way.
"$ND" do --config conf.yaml --state state stage app "http://127.0.0.1:$web/good/slow/app-1.1.tar.gz" > one 2>&1 &
one=$!
sleep 0.3
ask rollback app steady=100ms --yes
tap_check "of two at once, the second is refused" contains out COMMAND_LOCKED
wait $one
tap_check "the current release is not unpacked once more" contains one RELEASE_CURRENT
"$ND" do --config conf.yaml --state state stage app "http://127.0.0.1:$web/good/slow/app-1.1.tar.gz" > one 2>&1 &
one=$!
sleep 0.3
run=$(run_of stage)
ask cancel "$run"
wait $one
tap_check "a download can be cancelled" contains one cancelled
is_clean() { [ -z "$(hidden)" ]; }
tap_check "which leaves nothing" wait_for 5 is_clean
ask stage app "$WORK/app-1.3.tar.gz"
ask stage app "$WORK/app-1.4.tar.gz"

tap_check "a step back" ask rollback app steady=100ms --yes
tap_check "leads to the release before" test "$(current)" = releases/1.0
ask rollback app steady=100ms --yes
tap_check "before the first there is none" contains out RELEASE_UNKNOWN
tap_check "a deploy prunes" ask deploy app 1.4 steady=100ms --yes
tap_check "to the newest three, current and previous" sh -c "ls $root/releases | sort | tr '\n' ' ' | grep -qx '1.0 1.3 1.4 8.0 '"
ask releases app
tap_check "/releases lists them" contains out current

# kill -9 at many moments of a stage and a deploy: the link always leads to a complete release, what the
# run did is said, and nothing is left.
bad=""
round=0
for wait in 0.00 0.01 0.02 0.03 0.05 0.08 0.12 0.2; do
    round=$((round + 1))
    before=$(current)
    target=$([ "$before" = releases/1.4 ] && echo 1.3 || echo 1.4)
    "$ND" do --config conf.yaml --state state stage app "$WORK/app-1.5.tar.gz" > /dev/null 2>&1 &
    stage=$!
    [ $((round % 2)) = 0 ] || wait $stage
    "$ND" do --config conf.yaml --state state deploy app $target steady=100ms --yes > /dev/null 2>&1 &
    do=$!
    sleep $wait
    kill -9 $daemon
    wait $daemon $do $stage 2> /dev/null
    : > log
    start
    wait_for 20 sh -c "! '$ND' do --config conf.yaml --state state --json runs | grep -q '\"state\":\"running\"'"
    now=$(current)
    [ -x "$root/current/bin/serve" ] || bad="$bad [$wait: no complete release]"
    [ "$now" = "$before" ] || [ "$now" = releases/$target ] || bad="$bad [$wait: $now]"
    ask releases app
    [ -z "$(find "$root" -name '.unpack-*' -o -name '.current-*')" ] || ask stage app "$WORK/app-1.5.tar.gz"
    [ -z "$(hidden)" ] || bad="$bad [$wait: $(hidden)]"
    for r in "$root"/releases/*; do
        [ -x "$r/bin/serve" ] && [ -s "$r/version" ] || bad="$bad [$wait: $r is not complete]"
    done
    wait_for 20 curl -sf "http://127.0.0.1:$port/health" || bad="$bad [$wait: not healthy]"
    [ -z "$bad" ] || { cat log && tail -n 5 state/app.log; } > why
done
tap_check "kill -9 at $round moments leaves the old or the new release, whole" test -z "$bad"
[ -z "$bad" ] || { echo "# $bad" && tap_show why; }

kill -TERM $daemon
wait $daemon
if [ "$(id -u)" -eq 0 ] && mkdir disk && mount -t tmpfs -o size=1m none disk 2> /dev/null; then
    sed -i "s|$root|$WORK/disk/root|g" conf.yaml
    mkdir big && head -c 400000 /dev/urandom > big/a && "$ND" release pack big --name app --version 2.0 > /dev/null
    "$ND" release sign app-2.0.tar.gz --key release.key > /dev/null
    : > log
    start
    ask stage app "$WORK/app-2.0.tar.gz"
    tap_check "too little space is said before anything is unpacked" contains out FILE_NO_SPACE
    tap_check "and nothing is left of it" sh -c "[ -z \"\$(ls disk/root/releases disk/root/incoming 2>/dev/null | grep -v :)\" ]"
    kill -TERM $daemon
    wait $daemon
else
    tap_skip "a full disk" "no root, or no tmpfs"
fi
tap_end
