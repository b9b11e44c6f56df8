#!/usr/bin/env python3
"""How far the text of each article agrees with WikiExtractor's: the share of words in common runs (difflib, over words).

usage: wikipedia_agreement.py OURS.jsonl THEIRS.jsonl
       streaming extract --kind wikipedia DUMP --jsonl --min-line-characters 0 > OURS.jsonl
       python3 -m wikiextractor.WikiExtractor DUMP --json -o - -q > THEIRS.jsonl        (3.0.7: Python 3.10 or older)
"""
import difflib
import json
import statistics
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return {str(page["id"]): page for page in map(json.loads, file)}


ours, theirs = map(read, sys.argv[1:3])
words = {id: page["text"].split() for id, page in theirs.items()}
only = [page["title"] for id, page in theirs.items() if id not in ours and words[id]]
agreement = sorted(
    (difflib.SequenceMatcher(None, ours[id]["text"].split(), words[id], autojunk=False).ratio(), page["title"])
    for id, page in theirs.items() if id in ours and words[id])
ratios = [ratio for ratio, _ in agreement]
print(f"{len(ratios)} articles in both, {len(only)} only in WikiExtractor's {only[:5]}")
print(f"agreement: median {statistics.median(ratios):.3f}, mean {statistics.mean(ratios):.3f}, worst {agreement[0][0]:.3f} ({agreement[0][1]})")
