#!/usr/bin/env python3
"""Makes the pairs of the study `bottleneck` from Tatoeba and Multi30k, German to English: pairs.tsv, valid.tsv, test.tsv.

    scripts/make-study-corpus.py TATOEBA MULTI30K OUT

TATOEBA holds `deu-eng.train.tsv.gz` and `deu-eng.dev.tsv.gz`, English TAB German; MULTI30K holds `train`, `val` and `test_2016_flickr`, each `.de.gz` and
`.en.gz`. To learn from: 90,000 pairs of Tatoeba and all of Multi30k. Long sentences are rare in both, so the test has, beside `test_2016_flickr` and the
rest of Tatoeba's dev split, half of Tatoeba's training pairs with more than 20 German words and 300 with 16 to 20. The same input gives the same bytes.
"""

import gzip
import random
import sys
import unicodedata
from pathlib import Path

SEED = 1
LEARNED = 90_000  # pairs of Tatoeba
VALID = 500  # of each corpus
LONG, MIDDLE = 20, 16  # German words
MIDDLE_TESTED = 300


def lines(path):
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]


def tatoeba(path):
    columns = (line.split("\t") for line in lines(path))
    return kept((german, english) for english, german, *_ in columns)


def multi30k(folder, name):
    sides = (lines(folder / f"{name}.{language}.gz") for language in ["de", "en"])
    return kept(tuple(side.replace("\t", " ") for side in pair) for pair in zip(*sides, strict=True))


def kept(pairs):
    """Pairs without an empty side."""
    return [pair for pair in pairs if all(side.strip() for side in pair)]


def keys(pairs):
    """The sentences of each side as `study` compares them."""
    return [{unicodedata.normalize("NFC", pair[side]).strip() for pair in pairs} for side in range(2)]


def shares(pair, sides):
    return any(unicodedata.normalize("NFC", text).strip() in side for text, side in zip(pair, sides))


def words(pair):
    return len(pair[0].split())


def write(path, pairs):
    path.write_text("".join(f"{german}\t{english}\n" for german, english in pairs), encoding="utf-8", newline="\n")
    print(f"{path}: {len(pairs)} pairs, {sum(words(pair) > LONG for pair in pairs)} of more than {LONG} words")


def main(tatoeba_folder, multi30k_folder, out):
    pool, dev = (tatoeba(tatoeba_folder / f"deu-eng.{name}.tsv.gz") for name in ["train", "dev"])
    train, val, flickr = (multi30k(multi30k_folder, name) for name in ["train", "val", "test_2016_flickr"])
    draw = random.Random(SEED)
    long = [i for i, pair in enumerate(pool) if words(pair) > LONG]
    middle = [i for i, pair in enumerate(pool) if MIDDLE <= words(pair) <= LONG]
    tested = set(draw.sample(long, len(long) // 2) + draw.sample(middle, MIDDLE_TESTED))
    valid = val[:VALID] + dev[:VALID]
    sides = keys(valid)
    test = [pair for pair in flickr + dev[VALID:] + [pool[i] for i in sorted(tested)] if not shares(pair, sides)]
    rest = [i for i in range(len(pool)) if i not in tested]
    learned = [pool[i] for i in sorted(draw.sample(rest, LEARNED))] + train
    out.mkdir(parents=True, exist_ok=True)
    for name, pairs in [("pairs", learned), ("valid", valid), ("test", test)]:
        write(out / f"{name}.tsv", pairs)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
