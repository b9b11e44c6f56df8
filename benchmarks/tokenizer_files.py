#!/usr/bin/env python3
"""Loads a tokenizer folder with every class of Transformers that can, and compares ids and decoded text with SentencePiece's
own (with those of the tokenizers library where the folder has a tokenizer.json alone), line by line.

usage: tokenizer_files.py FOLDER TEXT [LINES] [IDS]        IDS: what `streaming tokenize` makes of TEXT, compared likewise

Up to Transformers 4, T5Tokenizer and LlamaTokenizer hand the text to SentencePiece; from 5 on they take tokenizer.json as it
is, because tokenizer_config.json says so.
"""
import os
import sys

import sentencepiece
import tokenizers
import transformers

folder, path = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
with open(path, encoding="utf-8", newline="\n") as file:
    lines = [line.rstrip("\n") for line, _ in zip(file, range(count))]
if os.path.exists(f"{folder}/tokenizer.model"):
    reference = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
    expected, decode = reference.encode(lines), reference.decode
else:
    reference = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    expected, decode = [reference.encode(line, add_special_tokens=False).ids for line in lines], reference.decode


def compare(loader):
    try:
        tokenizer = loader.from_pretrained(folder)
        ids = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
        decoded = sum(tokenizer.decode(i, skip_special_tokens=True) != decode(i) for i in ids)
    except Exception as failure:
        print(f"{loader.__name__}: {type(failure).__name__}: {str(failure)[:200]}")
        return
    different = [i for i, (ours, theirs) in enumerate(zip(ids, expected)) if ours != theirs]
    print(f"{loader.__name__} -> {type(tokenizer).__name__}: {len(different)} of {len(lines)} lines have other ids, {decoded} other text")
    for i in different[:3]:
        print("  ", lines[i][:60])


print(f"{folder}: Transformers {transformers.__version__}, compared with {type(reference).__name__}")
if len(sys.argv) > 4:
    with open(sys.argv[4], encoding="utf-8") as file:
        ours = [[int(word) for word in line.split()] for line, _ in zip(file, lines)]
    different = [i for i, (one, other) in enumerate(zip(ours, expected)) if one != other]
    print(f"streaming tokenize: {len(different)} of {len(lines)} lines have other ids", *(lines[i][:40] for i in different[:3]), sep=" | ")
for loader in (transformers.AutoTokenizer, transformers.PreTrainedTokenizerFast, transformers.T5Tokenizer, transformers.LlamaTokenizer):
    compare(loader)
