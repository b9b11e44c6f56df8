#!/usr/bin/env bash
# Wikipedia extraction against WikiExtractor 3.0.7, one process each on one pinned core, by CPU time.
#
#   benchmarks/wikipedia.sh DUMP.xml WIKIEXTRACTOR [CORE]
#
# DUMP.xml: an uncompressed dump (bunzip2 it first: decompression is no part of this comparison).
# WIKIEXTRACTOR: a checkout of github.com/attardi/wikiextractor; 3.0.7 needs Python 3.10 or older.
# Both read the dump from disk and write JSON lines to a file. Ours is read ROUNDS times in one process, since the
# runtime's start would otherwise be most of it; a real dump has 2,000 times the sample's size.
set -euo pipefail
dump=$(realpath "$1") peer=$(realpath "$2") core=${3:-0} rounds=${ROUNDS:-40}
root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/src/Hosting/bin/Release/net10.0/streaming.dll
[ -e "$program" ] || dotnet build "$root/src/Hosting" -c Release -v q --nologo
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# user + system seconds of a command and its children
cpu() { (TIMEFORMAT='%U %S'; time "$@" >"$work/out" 2>"$work/err") 2>&1 | awk '{ print $1 + $2 }'; }

for ((i = 0; i < rounds; i++)); do cat "$dump"; done >"$work/many.xml"
bytes=$(stat -c %s "$dump")
ours=$(cpu taskset -c "$core" dotnet "$program" extract --kind wikipedia --jsonl "$work/many.xml")
theirs=$(cd "$peer" && cpu taskset -c "$core" python3 -W ignore -m wikiextractor.WikiExtractor "$dump" --json -o - --processes 1 -q)
awk -v bytes="$bytes" -v rounds="$rounds" -v ours="$ours" -v theirs="$theirs" 'BEGIN {
  a = bytes * rounds / ours / 1e6; b = bytes / theirs / 1e6
  printf "streaming extract: %.2f s CPU for %.0f MB, %.1f MB of XML/s\n", ours, bytes * rounds / 1e6, a
  printf "WikiExtractor:     %.2f s CPU for %.0f MB, %.1f MB of XML/s\n", theirs, bytes / 1e6, b
  printf "%.0f times\n", a / b
}'
