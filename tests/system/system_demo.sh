#!/bin/sh
# nightdesk demo runs the bot and leaves no files; a model is trained and used.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
mkdir "$WORK/tmp"
cd "$WORK" || exit 1

printf '/status\n/why\n/decisions\n/trades\n' |
    TMPDIR=$WORK/tmp timeout 60 "$ND" demo > "$WORK/out" 2> "$WORK/err"
code=$?
tap_check "a demo from a pipe exits with 0" test $code -eq 0
tap_check "its seed is printed" contains "$WORK/err" "seed 7"
tap_check "/status was answered" contains "$WORK/out" "Equity"
tap_check "a position is open by then" grep -Eq 'positions [1-9] of' "$WORK/out"
tap_check "/why explains a decision, agent by agent" contains "$WORK/out" "decision_core"
tap_check "/decisions lists some" contains "$WORK/out" "decisions"
tap_check "a trade has been closed by then" contains "$WORK/out" "All "
tap_check "its folder is deleted" test -z "$(ls -A "$WORK/tmp")"

printf '/version\n' | TMPDIR=$WORK/tmp TELEGRAM_BOT_TOKEN=1:x CLAUDE_API_KEY=x timeout 60 "$ND" \
    demo --keep --seed 3 > "$WORK/out" 2> "$WORK/err"
tap_check "another seed, with --keep" contains "$WORK/err" "seed 3"
kept=$(ls -d "$WORK/tmp"/nightdesk-demo-* 2> /dev/null)
tap_check "the folder is kept" test -e "$kept/trading.db"
tap_check "accounts of the environment are not used" lacks "$kept/nightdesk.log" "elegram"
TMPDIR=$WORK/tmp timeout 60 "$ND" demo < /dev/null > "$WORK/out" 2> "$WORK/err"
tap_check "without input it exits by itself" test $? -eq 0
TMPDIR=$WORK/nowhere "$ND" demo < /dev/null > "$WORK/out" 2>&1
tap_check "if its folder cannot be created it exits with 2" test $? -eq 2
tap_check "and names the folder" contains "$WORK/out" "nowhere"

# ---- a trained model
tap_check "the program itself does not need libxgboost" sh -c "! ldd '$ND' | grep -q xgboost"
"$ND" train --data simulated:5:40 --out "$WORK/model.json" > "$WORK/out" 2>&1
code=$?
if grep -q TRAIN_LIBRARY "$WORK/out"; then
    tap_check "without the library the package is named" contains "$WORK/out" libxgboost0
    tap_skip "a model is trained" "no libxgboost"
    tap_end
fi
tap_check "a model is trained" test $code -le 1
tap_check "and compared with a coin" grep -Eq '^log loss .* 0\.6931 ' "$WORK/out"
mkdir "$WORK/fake"
if ${CC:-cc} -shared -o "$WORK/fake/libxgboost.so.0" -x c /dev/null 2> /dev/null; then
    LD_LIBRARY_PATH=$WORK/fake "$ND" train --data simulated:5:10 --out "$WORK/none.json" \
        > "$WORK/out" 2>&1
    tap_check "with a broken library it exits with 2" test $? -eq 2
    tap_check "and names the package" contains "$WORK/out" "libxgboost0"
    tap_check "and stores nothing" test ! -e "$WORK/none.json"
else
    tap_skip "with a broken library it exits with 2" "no compiler"
fi
cp "$WORK/quiet.yaml" "$WORK/model.yaml"
printf 'trading:\n  model: %s\n' "$WORK/model.json" >> "$WORK/model.yaml"
sed -i 's/^  seed: 7/  seed: 7\n  speed: 3600/' "$WORK/model.yaml"
start() { # STATE: a daemon with the model; its pid in $daemon
    "$ND" run --config "$WORK/model.yaml" --state "$1" < /dev/null > "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 10 grep -q "ready in" "$WORK/log"
}
model_votes() { # whether /why shows a vote of the model
    "$ND" do why --config "$WORK/model.yaml" --state "$WORK/m" | grep -q 'p_up'
}
start "$WORK/m"
wait_for 20 model_votes
tap_check "Predict votes with it" model_votes
tap_check "the daemon has not loaded libxgboost" sh -c "! grep -q xgboost /proc/$daemon/maps"
kill -TERM $daemon
wait $daemon
"$ND" backtest --config "$WORK/model.yaml" --data simulated:6:5 > "$WORK/out" 2>&1
tap_check "a back-test uses it as well" grep -Eq '^ *predict ' "$WORK/out"
sed -i 's/"nightdesk.features":"./"nightdesk.features":"x/' "$WORK/model.json"
"$ND" backtest --config "$WORK/model.yaml" --data simulated:6:5 > "$WORK/out" 2>&1
tap_check "a back-test continues without a model that does not fit" test $? -eq 1
tap_check "and reports it" contains "$WORK/out" "NOT USED: MODEL_UNFIT"
start "$WORK/m2"
tap_check "a model that does not fit is refused" wait_for 10 grep -q MODEL_UNFIT "$WORK/log"
tap_check "and trading continues" sh -c "'$ND' do status --config '$WORK/model.yaml' --state \
    '$WORK/m2' | grep -q Equity"
kill -TERM $daemon
wait $daemon
tap_end
