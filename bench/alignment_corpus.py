"""Makes the pairs that word alignments are measured on: train.tsv, valid.tsv and test.tsv, tokenised, `source TAB target`.

    bench/alignment_corpus.py de-en TATOEBA MULTI30K RWTH OUT
    bench/alignment_corpus.py en-ko KO_EN PUD OUT

TATOEBA holds `deu-eng.train.tsv.gz`, English TAB German; MULTI30K `train` and `val`, each `.de.gz` and `.en.gz`; RWTH and PUD the sentences whose links are known, one file a language.
KO_EN holds tables English TAB Korean TAB split. Pairs that share a sentence with the test on either side are left out; the validation is every 200th of the others. The same input gives
the same bytes.
"""

import gzip
import re
import sys
import unicodedata
from pathlib import Path

TOKEN = re.compile(
    r"\d+(?:[.,:]\d+)*"  # numbers
    r"|[^\W\d_]+(?:[-'][^\W\d_]+)*"  # words, with hyphens and apostrophes inside
    r"|\S"
)
# What English writes with an apostrophe is a word of its own in the texts with known links: do n't, it 's.
CONTRACTED = re.compile(r"^(.+?)(n't|'(?:s|d|ve|re|m|ll))$", re.IGNORECASE)


def tokens(text, language):
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("‘", "'")
    words = TOKEN.findall(text)
    if language == "en":
        words = [part for word in words for part in contracted(word)]
    return " ".join(words)


def contracted(word):
    found = CONTRACTED.match(word)
    return found.groups() if found else (word,)


def lines(path):
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]


def table(path):
    """Pairs of the first two columns of what is not kept for a test."""
    rows = (line.split("\t") for line in lines(path))
    return [(row[0], row[1]) for row in rows if len(row) < 3 or row[2] != "test"]


def known(folder, languages):
    """Sentences that are tokenised already; NFC, as what is learned from."""
    sides = (lines(folder / language) for language in languages)
    return [tuple(unicodedata.normalize("NFC", side) for side in pair) for pair in zip(*sides, strict=True)]


def main():
    what, *folders = sys.argv[1:]
    *sources, out = map(Path, folders)
    languages = what.split("-")
    if what == "de-en":
        tatoeba, multi30k, gold = sources
        pairs = [(german, english) for english, german in table(tatoeba / "deu-eng.train.tsv.gz")]
        for name in ["train", "val"]:
            pairs += zip(*(lines(multi30k / f"{name}.{language}.gz") for language in languages), strict=True)
    elif what == "en-ko":
        corpora, gold = sources
        pairs = [pair for path in sorted(corpora.glob("*.tsv.gz")) for pair in table(path)]
    else:
        sys.exit(__doc__)
    test = known(gold, languages)
    tested = [{side.lower() for side in sides} for sides in zip(*test)]
    kept = []
    for pair in pairs:
        pair = tuple(tokens(side, language) for side, language in zip(pair, languages))
        if all(pair) and not any(side.lower() in sides for side, sides in zip(pair, tested)):
            kept.append(pair)
    splits = {
        "train": [pair for at, pair in enumerate(kept) if at % 200],
        "valid": kept[::200],
        "test": test,
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, split in splits.items():
        (out / f"{name}.tsv").write_text("".join(f"{src}\t{tgt}\n" for src, tgt in split), encoding="utf-8")
        print(f"{out / name}.tsv: {len(split)} pairs")


if __name__ == "__main__":
    main()
