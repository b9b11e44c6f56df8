#!/usr/bin/env bash
# Resident memory of the text path over a source without an end (standard input, every line another one), with everything on:
# cleaning, duplicates (a full index), shuffling, document marks. Prints the largest of each tenth of the way.
# usage: endless_memory.sh STREAMING FILE.txt.xz TOKENIZER.model [MEGABYTES]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
streaming=$1 file=$2 model=$3 megabytes=${4:-3000}
samples=$(mktemp)
trap 'rm -f "$samples"; kill "$watch" 2>/dev/null || true' EXIT
endless() { while :; do xz -dc "$file"; done | awk 'NF { print $0 NR; next } 1'; }
endless 2>/dev/null | "$streaming" bench pipeline --cores "$(nproc)" --megabytes "$megabytes" --set 'data.sources=["-"]' --set "data.tokenizer=\"$model\"" \
    --set data.block-size=1024 --set data.validation-fraction=0.05 --set data.cleaning=web --set data.document-mask=true \
    --set 'data.duplicates={documents = true, lines = true}' --set data.shuffle-documents=20000 \
    --set "model.config=\"$here/../models/mistral-300m/config.json\"" &
bench=$!
while sleep 1; do awk '/VmRSS/ { print $2 / 1024 }' "/proc/$bench/status" 2>/dev/null || break; done > "$samples" &
watch=$!
wait "$bench" || true # the pipe breaks when it has enough
awk '{ rss[NR] = $1 } END { for (t = 0; t < 10; t++) { most = 0; for (i = int(NR * t / 10) + 1; i <= NR * (t + 1) / 10; i++) if (rss[i] > most) most = rss[i]; printf "%s%.0f", t ? " " : "resident MiB, largest of each tenth: ", most } print "" }' "$samples"
