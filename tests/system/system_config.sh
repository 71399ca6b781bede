#!/bin/sh
# nightdesk config with words, against the real daemon: the file keeps its comments, secrets stay
# out of answers, logs and ops.db, and every version can return.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

conf=$WORK/live.yaml
state=$WORK/state
token=tok3n-of-the-file-0123456789
cat > "$conf" <<YAML
# ours
api: {port: 0, token: $token}   # of March
market: {seed: 7}
services: {}
alerts:
  storm: 10   # enough
YAML
cp "$conf" "$WORK/first"
config() { "$ND" config --config "$conf" --state "$state" "$@" > "$WORK/out" 2>&1; }
code() { # CODE WORD...
    wanted=$1
    shift
    config "$@"
    [ $? -eq "$wanted" ] || { cat "$WORK/out"; false; }
}
says() { grep -qF -- "$1" "$WORK/out" || { cat "$WORK/out"; false; }; }

"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "it starts" wait_for 20 grep -q "ready in" "$WORK/log"

tap_check "get shows an option" code 0 get alerts.storm
tap_check "with its range" says "1 to 1000"
code 0 get api.token
tap_check "a secret is masked" says "***"
tap_check "an unknown one names the nearest" code 1 get alerts.strom
tap_check "which is this" says "alerts.storm"

tap_check "without a yes nothing changes" code 1 set alerts.storm 20
tap_check "the file is as it was" cmp "$WORK/first" "$conf"
tap_check "set changes it" code 0 set alerts.storm 20 --why "CPI is due" --yes
tap_check "and leaves the comments" grep -q '^  storm: 20   # enough$' "$conf"
tap_check "a wrong value is refused" code 1 set alerts.storm many --yes
tap_check "an option for the next start is written" code 0 set paper.fee "7" --yes
tap_check "and said so" says "at the next start"

printf '# new\napi: {port: 0, token: "***"}\nmarket: {seed: 7}\nservices: {}\nalerts: {storm: 0}\n' > "$WORK/new.yaml"
tap_check "validate names each mistake" code 0 validate "$WORK/new.yaml"
tap_check "with its place" says ":5:17"
tap_check "and apply refuses it" code 1 apply "$WORK/new.yaml" --yes
sed -i 's/storm: 0/storm: 30/' "$WORK/new.yaml"
code 0 diff "$WORK/new.yaml"
tap_check "diff shows what a file would change" says "alerts.storm"
tap_check "apply replaces the file" code 0 apply "$WORK/new.yaml" --why "all new" --yes
tap_check "with the secret of before" grep -q "token: \"$token\"" "$conf"

tap_check "history has who and why" code 0 history
tap_check "the reason" says "CPI is due"
tap_check "rollback" code 0 rollback 1 --yes
sed "s/$token/\"$token\"/" "$WORK/first" > "$WORK/wanted"
tap_check "returns the first file" cmp "$WORK/wanted" "$conf"
tap_check "a version that never was is refused" code 1 rollback 99 --yes

tap_check "a wrong word is wrong usage" code 2 frob
tap_check "so is a missing value" code 2 set alerts.storm
tap_check "and a reason without a change" code 2 diff --why x
tap_check "and a file that is not there" code 2 apply "$WORK/none.yaml" --yes
head -c 300000 /dev/zero | tr '\0' '#' > "$WORK/large.yaml"
tap_check "a file that is too large is refused" code 2 apply "$WORK/large.yaml" --yes
printf 'a: \377\n' > "$WORK/bytes.yaml"
tap_check "so is one that is no text" code 1 apply "$WORK/bytes.yaml" --yes

kill -TERM $daemon
wait $daemon
tap_check "it exits with 0" test $? -eq 0
lacks_token() { ! grep -rqF "$token" "$state" "$WORK/log" "$WORK/out"; }
tap_check "the secret is in no log, answer or database" lacks_token
tap_check "without a daemon it says so" code 2 get alerts.storm
tap_end
