#!/bin/sh
# Output to a full disk, to a closed descriptor and to a closed pipe: every subcommand notices.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1

awk 'BEGIN {
    print "time,open,high,low,close,volume"
    for (i = 0; i < 2000; i++)
        printf "%d,%.2f,%.2f,%.2f,%.2f,10\n", 1767225600 + i * 300, 100 + i % 7, 102 + i % 7, 99 + i % 7, 101 + i % 7
}' > candles.csv
cat > model.json <<'JSON'
{"learner": {"feature_names": [], "feature_types": [], "gradient_booster": {"model": {"gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"}, "iteration_indptr": [0, 1], "tree_info": [0], "trees": [{"base_weights": [0.1, -0.2, 0.3], "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [], "default_left": [0, 0, 0], "id": 0, "left_children": [1, -1, -1], "loss_changes": [1, 0, 0], "parents": [2147483647, 0, 0], "right_children": [2, -1, -1], "split_conditions": [0.5, -0.2, 0.3], "split_indices": [0, 0, 0], "split_type": [0, 0, 0], "sum_hessian": [2, 1, 1], "tree_param": {"num_deleted": "0", "num_feature": "1", "num_nodes": "3", "size_leaf_vector": "1"}}]}, "name": "gbtree"}, "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "1", "num_target": "1"}, "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}}, "version": [2, 0, 0]}
JSON
printf '0.1\n0.9\n' > rows.csv
mkdir folder && cp rows.csv folder/

# A state folder with a run, and one with a running daemon.
printf '/pause\n/resume\n/status\n' | timeout 30 "$ND" run --config quiet.yaml --state old > /dev/null 2>&1
"$ND" run --no-console --config quiet.yaml --state live < /dev/null > daemon.log 2>&1 &
kill_at_exit $!
wait_for 20 grep -q "ready in" daemon.log

# One or more lines per subcommand: what prints something and, with a good standard output, succeeds.
cat > table <<'TABLE'
run|/version|run --config quiet.yaml --state own
demo|/version|demo
do||do version --config quiet.yaml --state live
do||do version --json --config quiet.yaml --state live
chat|/version|chat --config quiet.yaml --state live
watch||watch --once --config quiet.yaml --state live
mcp|{"jsonrpc":"2.0","id":1,"method":"ping"}|mcp --config quiet.yaml --state live
ask||ask what is our balance --config quiet.yaml --state live
otp||otp --config quiet.yaml --state live
secret||secret list --config quiet.yaml --state old
secret||secret list --json --config quiet.yaml --state old
release||release key release.key
release||release pack folder --version 1
check-config||check-config quiet.yaml --state old
config||config --config quiet.yaml
config||config --schema
auditlog||auditlog verify --config quiet.yaml --state old
auditlog||auditlog show --config quiet.yaml --state old
auditlog||auditlog reads --config quiet.yaml --state old
auditlog||auditlog archive --config quiet.yaml --state old
audit||audit --offline --dry-run --config quiet.yaml --state old
report||report --config quiet.yaml --state old
report||report --json --config quiet.yaml --state old
predict||predict --model model.json --data rows.csv
replay||replay --config quiet.yaml --state old
train||train --data simulated:7:30 --trees 20 --depth 2 --out trained.json
indicators||indicators --data candles.csv
backtest||backtest --data candles.csv --config quiet.yaml
backtest||backtest --data candles.csv --config quiet.yaml --json
import||import candles candles.csv --symbol BTC-USD --config quiet.yaml --state old
docs||docs errors
version||version
version||version --json
help||help
TABLE
# demo-service prints nothing on standard output; pair and token print as do does; venue needs one.
silent="demo-service pair token venue"

"$ND" help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' > names
for name in $(cat names); do
    case " $silent " in *" $name "*) continue ;; esac
    cut -d'|' -f1 table | grep -qx -- "$name" || echo "$name"
done > missing
tap_check "the table has every subcommand" test ! -s missing
[ -s missing ] && tap_show missing
tap_check "and the list is not empty" test "$(wc -l < names)" -gt 10

: > wrong
while IFS='|' read -r name input words; do
    for where in good full closed pipe; do
        # The words hold no blanks.
        printf '%s' "$input" > input
        # shellcheck disable=SC2086
        case $where in
            good) timeout 60 "$ND" $words < input > out 2> err ;;
            full) timeout 60 "$ND" $words < input > /dev/full 2> err ;;
            closed) timeout 60 "$ND" $words < input >&- 2> err ;;
            pipe)
                rm -f fifo
                mkfifo fifo
                : < fifo & # opens and closes it
                reader=$!
                exec 4> fifo
                wait $reader
                timeout 60 "$ND" $words < input >&4 4>&- 2> err
                ;;
        esac
        code=$?
        exec 4>&-
        case $where in
            # 1 from train: no better than a coin.
            good) [ -s out ] && case $name:$code in *:0 | train:1) ;; *) false ;; esac ;;
            full) [ $code -ge 2 ] && grep -q "^CLI_OUTPUT: .*No space left" err ;;
            closed) [ $code -ge 2 ] && grep -q "^CLI_OUTPUT: .*Bad file" err ;;
            # timeout(1) ends by the signal of its child, or reports it as 128 + 13.
            pipe) [ $code -eq 141 ] && ! grep -q CLI_OUTPUT err ;;
        esac || { echo "$where: exit $code: nightdesk $words"; cat err; } >> wrong
    done
done < table
tap_check "each notices a full disk and a closed output, and ends by SIGPIPE" test ! -s wrong
[ -s wrong ] && tap_show wrong

(trap '' PIPE; sleep 0.5; "$ND" help 2> err; echo $? > code) | true
tap_check "where SIGPIPE is ignored a closed pipe is an error" \
    sh -c "test \$(cat code) -eq 2 && grep -q 'Broken pipe' err"
"$ND" audit --offline --dry-run --state none > /dev/full 2> err
tap_check "no verdict stays 3" test $? -eq 3
"$ND" version > /dev/null 2> /dev/full
tap_check "a full standard error changes nothing" test $? -eq 0
tap_end
