# Shared by the checks of the sources (POSIX sh): TAP lines.
#
#   . "$(dirname "$0")/check.sh"; check_start tidy
#   check "no empty file" "$offences"     ok when the second argument is empty; else its first lines
#   check_skip "clang-format is not installed"
#   check_end                             plan line, exit status
set -u
check_count=0 check_failed=0

check_start() { # LABEL
    check_label=$1
}

check() { # WHAT OFFENCES
    check_count=$((check_count + 1))
    if [ -z "$2" ]; then
        echo "ok $check_count - $check_label: $1"
    else
        echo "not ok $check_count - $check_label: $1"
        echo "$2" | head -n 20 | sed 's/^/# /'
        check_failed=1
    fi
}

check_skip() { # WHY
    check_count=$((check_count + 1))
    echo "ok $check_count # SKIP $check_label: $1"
}

check_end() {
    echo "1..$check_count"
    exit $check_failed
}
