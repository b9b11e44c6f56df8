#!/bin/bash
# Trains a tokenizer with `streaming tokenizer train` and with spm_train on the same sentences and options, one after the
# other, and compares time, memory and quality on held-out text.
# usage: benchmarks/tokenizer_training.sh TRAIN HELD_OUT [VOCABULARY]     files of text, compressed or not; needs Debian's
# `sentencepiece` and `time`, and a build: dotnet build src/Hosting -c Release
set -euo pipefail
train=$(realpath "$1") held_out=$(realpath "$2") vocabulary=${3:-50000}
streaming=(dotnet "$(dirname "$0")/../src/Hosting/bin/Release/net10.0/streaming.dll")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

text() { case $1 in *.xz) xz -dc "$1" ;; *.gz) gzip -dc "$1" ;; *.bz2) bzip2 -dc "$1" ;; *) cat "$1" ;; esac; }
text "$train" | "${streaming[@]}" normalize > "$work/train.txt"
text "$held_out" | "${streaming[@]}" normalize > "$work/held-out.txt"

measure() { local name=$1; shift; /usr/bin/time -f "$name: %e s wall, %U s user, %M KB" "$@" 2> "$work/$name.log" > /dev/null; tail -1 "$work/$name.log"; }

measure streaming "${streaming[@]}" tokenizer train --output "$work/streaming" --set "data.sources=[\"$work/train.txt\"]" \
    --set data.normalize=false --set "tokenizer.vocab-size=$vocabulary"
measure spm_train spm_train --input="$work/train.txt" --model_prefix="$work/spm" --vocab_size="$vocabulary" --num_threads="$(nproc)" \
    --character_coverage=0.9995 --byte_fallback=true --add_dummy_prefix=false --input_sentence_size=12000000 \
    --pad_id=0 --pad_piece='[PAD]' --unk_id=1 --unk_piece='[UNK]' --bos_id=2 --eos_id=3

# Of the held-out text: tokens a character, and the log probability of its best segmentation a character.
quality() {
    spm_export_vocab --model="$2" --output="$work/vocab.tsv"
    characters=$(spm_encode --model="$2" --output_format=piece < "$work/held-out.txt" | tr -d ' \n' | sed 's/<0x[89AB][0-9A-F]>//g; s/<0x[0-9A-F][0-9A-F]>/x/g' | wc -m)
    spm_encode --model="$2" --output_format=piece < "$work/held-out.txt" | awk -v characters="$characters" -v name="$1" '
        NR == FNR { score[$1] = $2; next }
        { for (i = 1; i <= NF; i++) { tokens++; sum += score[$i] } }
        END { printf "%s: %.5f tokens a character, %.5f log probability a character\n", name, tokens / characters, sum / characters }' \
        FS='\t' "$work/vocab.tsv" FS=' ' -
}
quality streaming "$work/streaming/tokenizer.model"
quality spm_train "$work/spm.model"
