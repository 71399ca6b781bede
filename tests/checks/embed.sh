#!/bin/sh
# Prints a C file with the files named on the command line as one table.
# Used by the Makefile for commands/*.yaml, prompts/*.md, docs/*.md and web/*, the last also compressed;
# io/embed.h declares the table.
set -eu
echo '#include "io/embed.h"'
echo
# A file is one literal, whatever its length.
echo '#pragma GCC diagnostic ignored "-Woverlength-strings"'
echo
echo 'const struct embedded_file embedded_files[] = {'
row() { # NAME FILE
    # Every byte in octal, 16 per line, so that nothing needs quoting.
    printf '    {"%s",\n' "$1"
    od -An -v -to1 "$2" | sed -e 's/ *$//' -e 's/ \([0-7][0-7][0-7]\)/\\\1/g' -e 's/.*/     "&"/'
    printf '     , %d},\n' "$(wc -c < "$2")"
}
small=$(mktemp)
trap 'rm -f "$small"' EXIT
for f in "$@"; do
    row "$f" "$f"
    case $f in
    web/*)
        gzip -9nc "$f" > "$small"
        row "$f.gz" "$small"
        ;;
    esac
done
echo '    {0, 0, 0},'
echo '};'
