#!/usr/bin/env python3
"""Loads a tokenizer folder with every class of Transformers that can, and compares ids and decoded text with SentencePiece's
own, line by line.

usage: tokenizer_files.py FOLDER TEXT [LINES]

Up to Transformers 4, T5Tokenizer and LlamaTokenizer hand the text to SentencePiece. From 5 on they make a tokenizer of a fixed
kind from the vocabulary of tokenizer.json (T5Tokenizer without byte fallback, LlamaTokenizer by byte pairs), unless they are
told to take the file as it is, which trust_remote_code=True does; there is no code in the folder.
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


def compare(loader, **arguments):
    said = f"{loader.__name__}.from_pretrained({', '.join(f'{key}={value}' for key, value in arguments.items())})"
    try:
        tokenizer = loader.from_pretrained(folder, **arguments)
        ids = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
        decoded = sum(tokenizer.decode(i, skip_special_tokens=True) != reference.decode(i) for i in ids)
    except Exception as failure:
        print(f"{said}: {type(failure).__name__}: {str(failure)[:200]}")
        return
    different = [i for i, (ours, theirs) in enumerate(zip(ids, expected)) if ours != theirs]
    print(f"{said} -> {type(tokenizer).__name__}: {len(different)} of {len(lines)} lines have other ids, {decoded} other text")
    for i in different[:3]:
        print("  ", lines[i][:60])


print(f"Transformers {transformers.__version__}, sentencepiece {sentencepiece.__version__}")
compare(transformers.AutoTokenizer)
compare(transformers.PreTrainedTokenizerFast)
for loader in (transformers.T5Tokenizer, transformers.LlamaTokenizer):
    compare(loader)
    if int(transformers.__version__.split(".")[0]) >= 5:
        compare(loader, trust_remote_code=True)
