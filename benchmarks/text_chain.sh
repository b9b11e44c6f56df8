#!/usr/bin/env bash
# The text path beside the chain that it replaces (neologdn, ssplit, spm_encode), and encoding alone beside spm_encode: on one
# core, one after the other in one run, by CPU seconds, children and the programs' starts included.
# usage: text_chain.sh STREAMING FILE.txt.xz TOKENIZER.model [CORE]
# Needs xz, spm_encode and python3 with neologdn and textformatting (PYTHON names another interpreter).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
streaming=$(realpath "$1") file=$(realpath "$2") model=$(realpath "$3") core=${4:-0} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export file model streaming python here work TIMEFORMAT='%U %S'

# CPU seconds, user and system, of a command on the core.
seconds() { { time taskset -c "$core" bash -o pipefail -ec "$1" 2>"$work/error" || { cat "$work/error" >&2; exit 1; } } 2>&1 | awk 'END { print $1 + $2 }'; }

settings="--set 'data.sources=[\"$file\"]' --set 'data.tokenizer=\"$model\"' --set data.block-size=1024 --set data.validation-fraction=0 --set 'model.config=\"$here/../models/mistral-300m/config.json\"'"
chain=$(seconds 'xz -dc "$file" | "$python" "$here/text_chain.py" | spm_encode --model="$model" --output_format=id | wc -lw > "$work/chain"')
start=$(seconds '"$streaming" --version > /dev/null')
xz -dc "$file" | "$streaming" normalize > "$work/sentences"
peer=$(seconds 'spm_encode --model="$model" --output_format=id < "$work/sentences" > /dev/null')
taskset -c "$core" bash -c "'$streaming' bench pipeline --json $settings" > "$work/path.json"

"$python" - "$work" "$chain" "$start" "$peer" <<'EOF'
import json, sys
work, chain, start, peer = sys.argv[1], *map(float, sys.argv[2:])
sentences, words = map(int, open(f"{work}/chain").read().split())
measured = json.load(open(f"{work}/path.json"))
whole, encoding = measured["whole"][0], next(s["seconds"] for s in measured["stages"] if s["name"] == "tokenize")
tokens, path = words + sentences, whole["processor_seconds"] + start  # the chain appends no end of sentence, the text path does
print(f"xz | neologdn, ssplit | spm_encode: {tokens} tokens, {chain:.2f} CPU s, {tokens / chain:,.0f} tokens/s")
print(f"the text path: {whole['tokens']} tokens, {path:.2f} CPU s, {start:.2f} of them the start, {whole['tokens'] / path:,.0f} tokens/s: "
      f"{whole['tokens'] / path * chain / tokens:.1f} times; on the clock {whole['tokens_per_second']:,.0f} tokens/s")
print(f"spm_encode alone {peer:.2f} CPU s, encoding alone {encoding:.2f} s on the clock: {peer / encoding:.1f} times")
print(f"allocated {whole['allocated_bytes_per_line']:.1f} bytes a line, {whole['collections']} collections, peak {whole['peak_working_set_bytes'] / 1e6:.0f} MB resident")
EOF
