#!/usr/bin/env python3
"""Makes the quickstart corpus from Tatoeba's German-English pairs: train, valid and test without a shared sentence.

    scripts/make-corpus.py FOLDER [OUT]

FOLDER holds `deu-eng.train.tsv.gz` and `deu-eng.dev.tsv.gz`, English TAB German. Both are one pool. The same input gives
the same bytes with the zstandard version of `requirements.txt`: nothing is drawn, pairs are ordered by a hash.
"""

import collections
import gzip
import hashlib
import sys
import unicodedata
from pathlib import Path

import zstandard

SEED = "lookback quickstart 1"
TEST, VALID = 1000, 500
LIMIT = 3_000_000  # bytes of the three files together
OUT = Path(__file__).resolve().parent.parent / "crates/lookback-cli/data/tatoeba-deu-eng"


def read_pool(folder, counts):
    """Distinct (German, English) pairs; drops only what no reader accepts."""
    pairs = {}
    for name in ["deu-eng.train.tsv.gz", "deu-eng.dev.tsv.gz"]:
        for line in gzip.decompress((folder / name).read_bytes()).decode("utf-8").split("\n"):
            if line == "":
                continue  # after the last line end
            counts["lines read"] += 1
            columns = line.removesuffix("\r").split("\t")
            if len(columns) != 2 or not all(c.strip() for c in columns) or "\0" in line:
                counts["refused: empty side, NUL or wrong columns"] += 1
                continue
            english, german = columns
            counts["repeated pairs merged"] += (german, english) in pairs
            pairs[german, english] = None
    return list(pairs)


def rank(pair):
    """A place in a random order that depends on the pair alone, so on no library's generator."""
    return hashlib.sha256("\0".join([SEED, *pair]).encode()).digest()


def key(sentence):
    """Sentences with one key are one sentence: Unicode's composed form, runs of white space as one."""
    return " ".join(unicodedata.normalize("NFC", sentence).split())


def without(pairs, split):
    """The pairs that share neither side with `split`."""
    german, english = ({key(pair[side]) for pair in split} for side in (0, 1))
    return [p for p in pairs if key(p[0]) not in german and key(p[1]) not in english]


def take(pairs, count):
    """The first `count` pairs, and the rest without every sentence of theirs."""
    split = pairs[:count]
    return split, without(pairs[count:], split)


def compressed(pairs):
    text = "".join(f"{german}\t{english}\n" for german, english in pairs).encode()
    parameters = zstandard.ZstdCompressionParameters.from_level(22, source_size=len(text), write_checksum=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(text)


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT
    counts = collections.Counter({"refused: empty side, NUL or wrong columns": 0})
    pool = sorted(read_pool(folder, counts), key=rank)
    test, rest = take(pool, TEST)
    valid, train = take(rest, VALID)
    counts["dropped for sharing a sentence with test or valid"] = len(pool) - len(test) - len(valid) - len(train)
    # Sorted, equal beginnings lie together: a third smaller than in random order. Training shuffles anyway.
    files = {name: compressed(pairs) for name, pairs in [("train", sorted(train)), ("valid", valid), ("test", test)]}
    total = sum(map(len, files.values()))
    if total > LIMIT:
        sys.exit(f"{total} bytes compressed, {LIMIT} allowed: take a random part of train (a prefix in rank order)")
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / f"{name}.tsv.zst").write_bytes(data)
        print(f"{name}.tsv.zst: {len({'train': train, 'valid': valid, 'test': test}[name])} pairs, {len(data)} bytes")
    for what, count in counts.items():
        print(f"{what}: {count}")


if __name__ == "__main__":
    main()
