#!/bin/sh
# Keeps all but the packets of the tests' archives as a commit writes them:
#
#	testdata/archives/keep.sh COMMIT
#
# writes testdata/archives/COMMIT: demo, of testdata/captures, and observers, of
# observers_test.go. Packets are not kept; see kept_test.go.
set -eu
cd "$(dirname "$0")/../.."
commit=$(git rev-parse --short=7 "$1")
tree=/tmp/wiresql-$commit # its path is a fact of the archive: ops.imports
trap 'git worktree remove --force "$tree"' EXIT
git worktree add -q --detach "$tree" "$commit"
cp testdata/archives/keep_test.go.txt "$tree/keep_test.go"
rm -rf "testdata/archives/$commit"
KEEP="$PWD/testdata/archives/$commit" go test -C "$tree" -count 1 -run 'TestKeep$' .
