#!/usr/bin/env python3
"""Loads a tokenizer folder with Transformers and compares ids and decoded text with SentencePiece's own, line by line.

usage: tokenizer_files.py FOLDER TEXT [LINES]

T5Tokenizer and LlamaTokenizer take SentencePiece models as they are up to Transformers 4; from version 5 on both build a
tokenizer of another kind (T5Tokenizer without byte fallback, LlamaTokenizer by byte pairs), so there only the fast
tokenizer can have the same ids.
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

classes = [transformers.AutoTokenizer, transformers.PreTrainedTokenizerFast]
if int(transformers.__version__.split(".")[0]) < 5:
    classes += [transformers.T5Tokenizer, transformers.LlamaTokenizer]
for loader in classes:
    tokenizer = loader.from_pretrained(folder)
    ids = [tokenizer.encode(line, add_special_tokens=False) for line in lines]
    different = [i for i, (ours, theirs) in enumerate(zip(ids, expected)) if ours != theirs]
    decoded = sum(tokenizer.decode(i, skip_special_tokens=True) != reference.decode(i) for i in ids)
    print(f"Transformers {transformers.__version__} {loader.__name__} ({type(tokenizer).__name__}): "
          f"{len(different)} of {len(lines)} lines have other ids, {decoded} other text")
    for i in different[:5]:
        print("  ", lines[i][:60])
