"""What the text path replaces, up to the tokenizer: lines on standard input, normalised and split into sentences by the
recipe's own libraries (neologdn, textformatting), on standard output. Needs both importable."""
import sys

import neologdn
from textformatting import ssplit

sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")
sys.stdout.reconfigure(encoding="utf-8", newline="\n")
for line in sys.stdin:
    for sentence in ssplit(neologdn.normalize(line.rstrip("\n"))):
        print(sentence)
