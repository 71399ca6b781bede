#!/bin/sh
# The console in a real terminal (tmux): editing, history without secrets, completion, numbered
# buttons, widths, colours; `chat` on a daemon that is killed and comes back; `watch`.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1
unset TMUX NO_COLOR
export TERM=xterm-256color LC_ALL=C.UTF-8

cat > terminal.yaml <<'YAML'
api: {port: 0}
market: {seed: 7}
services:
  prediction: {unit: nightdesk-test-none.service}
YAML

tm() { tmux -S "$WORK/tmux" -f /dev/null "$@"; }
begin() { # COLUMNS LINES: a shell that reads no start-up files
    tm kill-server 2> /dev/null
    tm new-session -d -x "$1" -y "$2" -s t "env PS1='ready> ' sh"
    tm set-option -g status off > /dev/null
    tm_pid=$(tm display-message -p '#{pid}')
    kill_at_exit "$tm_pid"
    see 'ready>'
}
type_in() { tm send-keys -t t -l "$1"; } # as it is
keys() { tm send-keys -t t "$@"; }     # names of keys
screen() { tm capture-pane -p -t t; }
has() { screen | grep -qF -- "$1"; }
see() { wait_for 15 has "$1"; }
last_line() { screen | sed '/^ *$/d' | tail -n 1; }
is_last() { [ "$(last_line)" = "$1" ]; }
see_last() { wait_for 15 is_last "$1"; }
widest() { screen | awk '{ if (length($0) > m) m = length($0) } END { print m + 0 }'; }
command_line() { type_in "$1"; keys Enter; }
modes() { # the modes that the terminal has in the shell
    rm -f modes
    command_line 'stty -a > modes; echo left'
    wait_for 10 test -s modes
}

# ---------------------------------------------------------------- the console of run
begin 80 24
command_line "$ND run --config terminal.yaml --state own; echo code \$?"
tap_check "the prompt is shown" see_last 'nightdesk>'
type_in 'versixx'
keys BSpace BSpace
type_in 'on'
keys C-a
type_in '/'
tap_check "a line is edited at its end and its beginning" see_last 'nightdesk> /version'
keys Left Left Right Delete C-e
type_in 'e'
keys Home Right Right End
tap_check "and with the arrow keys, Delete, Home and End" see_last 'nightdesk> /ersione'
keys C-u
command_line '/version'
tap_check "a command is answered" see 'nightdesk 0.'
type_in 'Grüße 漢字'
keys Left Left BSpace
tap_check "characters of two columns and of several bytes are edited" see_last 'nightdesk> Grüße漢字'
keys C-u

type_in 'resta'
keys Tab
type_in 'pre'
keys Tab
tap_check "Tab completes a command and a service" see_last 'nightdesk> restart prediction'
keys C-u
type_in 'why e'
keys Tab
tap_check "and a symbol, in its own case" see_last 'nightdesk> why ETH-USD'
keys C-u
type_in 'rule_add f'
keys Tab
tap_check "and a choice" see_last 'nightdesk> rule_add favour'
keys C-u
type_in 're'
keys Tab
tap_check "several candidates are listed with what they do" see 'resume              Resume trading'
tap_check "and the line is kept" see_last 'nightdesk> re'
keys C-u
type_in 'trades '
keys Tab
tap_check "where nothing can be listed, it says what is expected" see 'count'
keys C-u

tm clear-history -t t
keys C-l
command_line 'status'
tap_check "buttons are numbered" see '[1] Positions'
command_line '1'
tap_check "and a number presses one" see 'Positions 0 of 3'
command_line 'emergency_stop'
see 'Expires in'
number=$(screen | sed -n 's/^\[\([0-9]*\)\] Confirm .*/\1/p' | tail -n 1)
cancel=$(screen | sed -n 's/.*\[\([0-9]*\)\] Cancel.*/\1/p' | tail -n 1)
tap_check "a confirmation, too" test "${number:-0}" -gt 1
command_line "$cancel"
tap_check "its number answers it" see 'Cancelled'

type_in 'half a li'
"$ND" do pause --config terminal.yaml --state own > /dev/null 2>&1
"$ND" do resume --config terminal.yaml --state own > /dev/null 2>&1
tap_check "what arrives meanwhile keeps the line" see_last 'nightdesk> half a li'
tm resize-window -t t -x 40 -y 24
keys C-e
type_in 'ne and it goes on over the end of the row'
tap_check "a line wraps in a narrow terminal" see 'row'
keys C-u
tap_check "and is removed whole" see_last 'nightdesk>'
keys C-l
command_line '/services'
wait_for 5 has 'prediction'
command_line '/help resume'
see 'Role'
tap_check "40 columns are enough" test "$(widest)" -le 40
tm resize-window -t t -x 120 -y 30
keys C-l
command_line '/help resume'
is_wide() { [ "$(widest)" -gt 60 ]; }
if ! wait_for 5 is_wide; then # the first answer may have been on its way before the resize
    keys C-l
    command_line '/help resume'
fi
tap_check "and 120 columns are used" wait_for 15 is_wide

for line in '/otp confirm 135791' '/otp 246802' '/confirm AB12CD 975310' '864209' '/statsu 112233445566' \
    'sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789'; do
    command_line "$line"
done
command_line '/whoami'
see 'Role admin' || see 'admin'
type_in '/who'
keys C-r
tap_check "^R finds the last line that begins so" see_last 'nightdesk> /whoami'
keys C-u
keys Up
tap_check "the arrow keys do not bring a code back" see_last 'nightdesk> /help resume'
keys C-u
uid=$(id -u)
tap_check "the history is kept" contains "own/history-$uid" "/whoami"
tap_check "without codes and keys" sh -c "! grep -E '[0-9]{6}|AB12CD|sk-ant|otp' own/history-$uid"
tap_check "for its user alone" test "$(stat -c %a "own/history-$uid")" = 600
tap_check "there are colours" sh -c "tmux -S '$WORK/tmux' capture-pane -e -p -t t | grep -q '$(printf '\033')\[1m\[[0-9]'"
keys C-d
tap_check "^D ends it" see 'code 0'
modes
tap_check "and the terminal is as before" sh -c 'grep -qw echo modes && grep -qw icanon modes && ! grep -q -- "-icanon" modes'
command_line "NO_COLOR=1 $ND run --config terminal.yaml --state own; echo code \$?"
tm resize-window -t t -x 100 -y 24
keys C-l
see_last 'nightdesk>'
keys Up
tap_check "the next run knows the earlier lines" see_last 'nightdesk> /whoami'
keys C-u
command_line 'status'
see '] Positions'
tap_check "NO_COLOR is respected" sh -c "! tmux -S '$WORK/tmux' capture-pane -e -p -t t | grep -q '$(printf '\033')\[[0-9;]*m'"
keys C-c
tap_check "^C ends it, too" see 'code 0'
command_line "clear; TERM=dumb $ND run --config terminal.yaml --state own; echo code \$?"
see_last 'nightdesk>'
command_line '/version'
tap_check "a dumb terminal works without editing" see 'nightdesk 0.'
tap_check "and without an escape sequence" sh -c "! tmux -S '$WORK/tmux' capture-pane -e -p -t t | grep -q '$(printf '\033')\[[0-9;]*m'"
keys C-d
see 'code 0'

# ---------------------------------------------------------------- chat
daemon() {
    "$ND" run --no-console --config terminal.yaml --state live < /dev/null >> daemon.log 2>&1 &
    daemon_pid=$!
    kill_at_exit $daemon_pid
    wait_for 30 "$ND" do version --config terminal.yaml --state live
}
daemon
command_line "clear; $ND chat --socket live/nightdesk.sock; echo code \$?"
tap_check "chat attaches to a daemon" see 'Attached to live/nightdesk.sock'
type_in 'restart p'
keys Tab
tap_check "and completes what the daemon has" see_last 'nightdesk> restart prediction'
keys C-u
command_line 'status'
tap_check "commands are answered" see '[1] Positions'
command_line '1'
tap_check "and buttons pressed" see 'Positions 0 of 3'
command_line 'emergency_stop'
see 'Expires in'
number=$(screen | sed -n 's/.*\[\([0-9]*\)\] Cancel.*/\1/p' | tail -n 1)
command_line "$number"
tap_check "a confirmation is answered by its number" see 'Cancelled'
see 'nightdesk started'
type_in 'half a li'
see_last 'nightdesk> half a li'
tap_check "another client pauses" "$ND" do pause --config terminal.yaml --state live
tap_check "a notification appears as it happens" see 'paused by'
tap_check "and keeps the line that is typed" see_last 'nightdesk> half a li'
keys C-c
tap_check "^C empties the line" see_last 'nightdesk>'
kill -9 $daemon_pid
tap_check "a daemon that is gone is reported" see 'does not answer any more'
daemon
tap_check "and attached to again when it is back" see 'Attached again'
tap_check "with what it has to say" see 'stopped unexpectedly'
keys C-l
command_line 'version'
tap_check "and it answers" see 'nightdesk 0.'
command_line '/otp confirm 135791'
command_line 'whoami'
tap_check "its history is kept, too" wait_for 10 grep -q whoami "live/history-$uid"
tap_check "without codes" sh -c "! grep -q 135791 live/history-$uid"
keys C-d
tap_check "^D leaves the daemon alone" see 'code 0'
tap_check "which runs on" "$ND" do version --config terminal.yaml --state live
printf 'version\nnonsense\n' | "$ND" chat --config terminal.yaml --state live > piped 2>&1
tap_check "from a pipe a refused command is exit code 1" test $? -eq 1
tap_check "and the answers are in order" sh -c "grep -n . piped | sed -n 1p | grep -q nightdesk && grep -q COMMAND_UNKNOWN piped"
printf 'version\n' | "$ND" chat --config terminal.yaml --state nowhere > piped 2>&1
tap_check "without a daemon it is 2" test $? -eq 2

# ---------------------------------------------------------------- progress in chat
cat > slow.yaml <<'YAML'
api: {port: 0}
monitoring: {alert_threshold: 100}
services:
  slow: {command: [sleep, "100"], url: "http://127.0.0.1:9", health_endpoint: /}
YAML
"$ND" run --no-console --config slow.yaml --state slow < /dev/null >> slow.log 2>&1 &
slow_pid=$!
kill_at_exit $slow_pid
wait_for 30 "$ND" do pause --config slow.yaml --state slow
tm resize-window -t t -x 80 -y 40
command_line "clear; $ND chat --config slow.yaml --state slow; echo code \$?"
see 'Attached to slow/nightdesk.sock'
command_line 'restart slow'
see 'Expires in'
shows_no_error() { ! has 'CONFIRM_NEEDED' && has 'This will:'; }
tap_check "a prompt is not shown as an error" shows_no_error
number=$(screen | sed -n 's/.*\[\([0-9]*\)\] Confirm.*/\1/p' | tail -n 1)
command_line "$number"
tap_check "a slow command shows its steps" see '⏳ Wait until the service is healthy'
tap_check "and how far they are" see '1 of 2 steps'
seconds() { screen | grep -q 'could not connect, [3-9] s'; }
tap_check "again and again" wait_for 15 seconds
# Other messages may stand between two, but none follows the one before.
follows() { screen | grep -v '^ *$' | grep -A 1 '\] Cancel$' | grep -q '⏳ restart slow'; }
stands_alone() { ! follows; }
tap_check "in the same place" stands_alone
type_in 'half a li'
tap_check "above the line that is typed" see_last 'nightdesk> half a li'
keys C-u
number=$(screen | sed -n 's/.*\[\([0-9]*\)\] Cancel.*/\1/p' | tail -n 1)
command_line "$number"
tap_check "its button cancels it" see 'COMMAND_CANCELLED'
keys C-d
see 'code 0'
kill $slow_pid

# ---------------------------------------------------------------- watch
tm resize-window -t t -x 80 -y 24
command_line 'clear; echo before'
see 'before'
command_line "$ND watch --config terminal.yaml --state live; echo code \$?"
tap_check "watch draws the screen" see 'q quits'
for part in 'nightdesk · paper · paused' Equity Today Positions Alerts Agents 'Data '; do
    tap_check "with $part" has "$part"
done
tap_check "alone" sh -c "! tmux -S '$WORK/tmux' capture-pane -p -t t | grep -q before"
first=$(last_line)
changed() { [ "$(last_line)" != "$first" ]; }
tap_check "and refreshes it" wait_for 5 changed
tm resize-window -t t -x 40 -y 20
sleep 0.3
tap_check "it follows the size" sh -c "[ \$(tmux -S '$WORK/tmux' capture-pane -p -t t | wc -l) -eq 20 ]"
tap_check "and fits it" sh -c "tmux -S '$WORK/tmux' capture-pane -p -t t | tail -n 1 | grep -q 'q quits'"
kill -9 $daemon_pid
tap_check "a daemon that is gone is shown" see 'has not answered for'
daemon
gone() { ! has 'has not answered for'; }
tap_check "until it is back" wait_for 15 gone
keys q
tap_check "q quits" see 'code 0'
tm resize-window -t t -x 80 -y 24
for signal in TERM INT SEGV; do
    command_line "clear; echo before; sh -c 'echo \$\$ > watch.pid; exec $ND watch --config terminal.yaml --state live'; echo ended"
    see 'q quits'
    kill -$signal "$(cat watch.pid)"
    see 'ended'
    tap_check "after SIG$signal the screen is that from before" has 'before'
    modes
    tap_check "and so are the terminal's modes" sh -c 'grep -qw echo modes && ! grep -q -- "-icanon" modes'
done
"$ND" watch --config terminal.yaml --state live < /dev/null > out 2>&1
tap_check "without a terminal watch is exit code 2" test $? -eq 2
tap_check "and says so" contains out TERMINAL
"$ND" watch --once --config terminal.yaml --state live < /dev/null > out 2>&1
tap_check "--once needs none" sh -c 'test $(grep -c Equity out) -eq 1'
tap_check "and prints no escape sequence" sh -c "! grep -q '$(printf '\033')' out"

keys C-d
tm kill-server 2> /dev/null
kill -TERM $daemon_pid
tap_end
