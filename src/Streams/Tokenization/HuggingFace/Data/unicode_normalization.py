"""Writes unicode-normalization.txt from Python's unicodedata:  python3 unicode_normalization.py > unicode-normalization.txt

C first..last class   canonical combining class, where it is not 0
D character text      full canonical decomposition, where it is not the character
K character text      full compatibility decomposition, where it is not the canonical one
P first second whole  primary composite
Hangul syllables follow from arithmetic and are left out.
"""

import sys
import unicodedata


def hexadecimal(text):
    return " ".join(f"{ord(character):04X}" for character in text)


characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF and not 0xAC00 <= code <= 0xD7A3]
print(f"# Unicode {unicodedata.unidata_version} normalization data, Unicode License v3; made by unicode_normalization.py, which explains the lines.")

classes = [(ord(character), unicodedata.combining(character)) for character in characters if unicodedata.combining(character)]
start = 0
for end in range(1, len(classes) + 1):
    if end == len(classes) or classes[end][0] != classes[end - 1][0] + 1 or classes[end][1] != classes[start][1]:
        print(f"C {classes[start][0]:04X}..{classes[end - 1][0]:04X} {classes[start][1]}")
        start = end

for character in characters:
    canonical = unicodedata.normalize("NFD", character)
    compatible = unicodedata.normalize("NFKD", character)
    if canonical != character:
        print("D", hexadecimal(character), hexadecimal(canonical))
    if compatible != canonical:
        print("K", hexadecimal(character), hexadecimal(compatible))

for character in characters:
    parts = unicodedata.decomposition(character).split()
    if len(parts) == 2 and not parts[0].startswith("<"):
        pair = "".join(chr(int(part, 16)) for part in parts)
        if unicodedata.normalize("NFC", pair) == character:
            print("P", hexadecimal(pair), hexadecimal(character))
