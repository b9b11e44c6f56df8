#!/usr/bin/env python3
"""Loads a tokenizer folder with every class of Transformers that can, and compares ids and decoded text with SentencePiece's
own, line by line.

usage: tokenizer_files.py FOLDER TEXT [LINES]

Up to Transformers 4, T5Tokenizer and LlamaTokenizer hand the text to SentencePiece; from 5 on they take tokenizer.json as it
is, because tokenizer_config.json says so.
"""
import sys

import sentencepiece
import transformers

folder, path = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
with open(path, encoding="utf-8") as file:
    lines = [line.rstrip("\n") for line, _ in zip(file, range(count))]
reference = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
expected = reference.encode(lines)


def compare(loader):
    try:
        tokenizer = loader.from_pretrained(folder)
        ids = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
        decoded = sum(tokenizer.decode(i, skip_special_tokens=True) != reference.decode(i) for i in ids)
    except Exception as failure:
        print(f"{loader.__name__}: {type(failure).__name__}: {str(failure)[:200]}")
        return
    different = [i for i, (ours, theirs) in enumerate(zip(ids, expected)) if ours != theirs]
    print(f"{loader.__name__} -> {type(tokenizer).__name__}: {len(different)} of {len(lines)} lines have other ids, {decoded} other text")
    for i in different[:3]:
        print("  ", lines[i][:60])


print(f"Transformers {transformers.__version__}, sentencepiece {sentencepiece.__version__}")
for loader in (transformers.AutoTokenizer, transformers.PreTrainedTokenizerFast, transformers.T5Tokenizer, transformers.LlamaTokenizer):
    compare(loader)
