#!/bin/sh
# Prints a C file with the files named on the command line as one table.
# Used by the Makefile for commands/*.yaml, prompts/*.md and docs/*.md; io/embed.h declares the table.
set -eu
echo '#include "io/embed.h"'
echo
# A file is one literal, whatever its length.
echo '#pragma GCC diagnostic ignored "-Woverlength-strings"'
echo
echo 'const struct embedded_file embedded_files[] = {'
for f in "$@"; do
    printf '    {"%s", ' "$f"
    # Every byte in octal, 16 per line, so that nothing needs quoting.
    printf '\n'
    od -An -v -to1 "$f" | sed -e 's/ *$//' -e 's/ \([0-7][0-7][0-7]\)/\\\1/g' -e 's/.*/     "&"/'
    printf '     , %d},\n' "$(wc -c < "$f")"
done
echo '    {0, 0, 0},'
echo '};'
