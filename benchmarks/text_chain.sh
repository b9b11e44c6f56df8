#!/usr/bin/env bash
# The text path beside the chain that it replaces (neologdn, ssplit, spm_encode), on one core, one after the other in one
# run: CPU seconds and tokens/s. usage: text_chain.sh STREAMING FILE.txt.xz TOKENIZER.model [CORE]
# Needs xz, python3 with neologdn and textformatting (PYTHON names another interpreter), and spm_encode.
set -euo pipefail
streaming=$1 file=$2 model=$3 core=${4:-0}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT='%U %S'

# CPU seconds (user and system, children included) of a command on the core.
seconds() { { time taskset -c "$core" bash -c "$1" >&2; } 2>&1 >/dev/null | tail -1 | awk '{ print $1 + $2 }'; }

chain="xz -dc '$file' | ${PYTHON:-python3} '$here/text_chain.py' | spm_encode --model='$model' --output_format=id | wc -lw > '$work/chain'"
ours="DOTNET_TieredPGO=0 '$streaming' bench pipeline --workers 1 --set 'data.sources=[\"$file\"]' --set 'data.tokenizer=\"$model\"' --set data.block-size=1024 --set data.validation-fraction=0 > '$work/ours'"
chain_seconds=$(seconds "$chain")
seconds "$ours" > /dev/null
read -r sentences words < "$work/chain"
# The chain appends no end of sentence; the text path does, once a sentence.
awk -v tokens=$((words + sentences)) -v seconds="$chain_seconds" 'BEGIN {
  printf "neologdn | ssplit | spm_encode: %d tokens, %.2f CPU s, %.0f tokens/s\n", tokens, seconds, tokens / seconds }'
cat "$work/ours"
