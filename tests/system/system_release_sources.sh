#!/bin/sh
# release pack makes the diff of two source trees: what is in it, and what is refused.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1
mkdir -p old/src old/.git new/src new/.git out bare
printf 'one\ntwo\n' > old/src/main.c
printf 'one\n2\n' > new/src/main.c
echo "an added line" > new/src/added.c
echo "a removed line" > old/src/gone.c
printf 'a\0secret-of-the-binary' > new/image.bin
echo "secret of another folder" > outside
ln -s "$WORK/outside" new/link
mkfifo old/pipe new/pipe
echo objects > new/.git/index
echo program > out/app
pack() { # ARGUMENT...
    "$ND" release pack out --name app --version 1 --out app-1.tar.gz "$@" > said 2>&1
}
refuses() { # TEXT ARGUMENT...
    refused_text=$1
    shift
    rm -f app-1.tar.gz
    ! pack "$@" && contains said "$refused_text" && test ! -e app-1.tar.gz
}
tap_check "the diff of two trees is packed" pack --sources-before old --sources-after new
tap_check "with what was changed" contains out/release.diff "+2"
tap_check "what was added" contains out/release.diff "+an added line"
tap_check "and what was removed" contains out/release.diff "-a removed line"
tap_check "paths are those of the trees" contains out/release.diff "+++ b/src/main.c"
tap_check "and of no folder of the machine" lacks out/release.diff "nightdesk-diff"
tap_check "a binary file is named" contains out/release.diff "Binary files a/image.bin and b/image.bin differ"
tap_check "and not shown" lacks out/release.diff secret-of-the-binary
tap_check "a link is compared, not followed" contains out/release.diff "+symbolic link to $WORK/outside"
tap_check "so nothing outside is in it" lacks out/release.diff "secret of another folder"
tap_check "a version control folder is left out" lacks out/release.diff objects
tap_check "it is in the archive" sh -c "tar -xzOf app-1.tar.gz ./release.diff 2> /dev/null | cmp - out/release.diff || tar -xzOf app-1.tar.gz release.diff | cmp - out/release.diff"
tap_check "equal trees are refused" refuses "the trees are equal" --sources-before old --sources-after old
tap_check "so is one tree alone" refuses CLI_USAGE --sources-before old
tap_check "and a diff as well as trees" refuses CLI_USAGE --sources-before old --sources-after new --diff out/release.diff
tap_check "a file is no tree" refuses "it is not a folder" --sources-before outside --sources-after new
tap_check "a missing tree is named" refuses nowhere --sources-before nowhere --sources-after new
PATH=$WORK/bare
export PATH
"$ND" release pack out --name app --version 1 --out app-1.tar.gz --sources-before old --sources-after new > said 2>&1
missing=$?
PATH=/usr/local/bin:/usr/bin:/bin
tap_check "without diff it ends with 1" test $missing -eq 1
tap_check "and says how to get it" contains said "Install diffutils"
yes "a line" | head -c 40000000 > new/large.txt
yes "a lime" | head -c 40000000 > old/large.txt
tap_check "too large a diff is refused" refuses "the trees differ too much" --sources-before old --sources-after new
truncate -s 1100M new/large.txt
tap_check "so are too large trees, before diff reads them" refuses "too large together" --sources-before old --sources-after new
rm new/large.txt old/large.txt
mkdir -p "old/$(printf 'd/%.0s' $(seq 70))"
tap_check "and too deep ones" refuses "too deep" --sources-before old --sources-after new
tap_check "nothing temporary is left" test -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'nightdesk-diff.*' -newer outside)"
tap_end
