"""IBM Model 1 (Brown et al. 1993, section 4.1): the word aligner that `lookback align` is measured against.

    bench/.venv/bin/python bench/ibm1.py TRAIN PAIRS > links        lines of `source TAB target`, tokenised

Learns t(target word | source word) by expectation maximisation on TRAIN, an empty source word included, and links each target word of PAIRS to the
source word with the highest t; to none if that is the empty word, or if TRAIN never had the two together. Links are Pharaoh's, from 0. Words are compared
in lower case. With --reverse it learns and links the other way round; links stay source-target. With --merge it does both and merges the links (Koehn, Och &
Marcu 2003, section 3.1). TRAIN may be PAIRS itself: so it makes the links that `lookback train --guided-alignment` learns from.
"""

import argparse
import sys

import numpy as np

FORWARD, BACKWARD = (0, 1), (1, 0)
NEIGHBOURS = [(0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)]

def read(path):
    with open(path, encoding="utf-8") as lines:
        return [[side.lower().split() for side in line.rstrip("\n").split("\t")[:2]] for line in lines]


def numbered(sentences, index, grow):
    """Words as numbers from 1; 0 is the empty word on one side and an unknown one on the other."""
    number = (lambda word: index.setdefault(word, len(index) + 1)) if grow else (lambda word: index.get(word, 0))
    return [np.array([number(word) for word in words], dtype=np.int64) for words in sentences]


def train(src, tgt, width, iterations):
    """→ sorted codes src·width + tgt, and t of each."""
    codes, rows, row = [], [], 0
    for s, t in zip(src, tgt):
        s = np.concatenate([[0], s])
        codes.append((s[None, :] * width + t[:, None]).ravel())
        rows.append(np.repeat(np.arange(row, row + len(t)), len(s)))
        row += len(t)
    rows = np.concatenate(rows)
    known, places = np.unique(np.concatenate(codes), return_inverse=True)
    sources = known // width
    t = np.full(len(known), 1 / width)
    for step in range(iterations):
        p = t[places]
        total = np.bincount(rows, p, row)
        counts = np.bincount(places, p / total[rows], len(known))
        t = counts / np.bincount(sources, counts)[sources]
        print(f"iteration {step + 1}: {np.log(total).sum():.0f} nats", file=sys.stderr)
    return known, t


def directed(learned, pairs, way, iterations):
    """→ the links (source, target) of each of `pairs`, each word of side way[1] linked to one of side way[0]."""
    indices = {}, {}
    src, tgt = (numbered([pair[side] for pair in learned], index, True) for side, index in zip(way, indices))
    width = len(indices[1]) + 1
    known, t = train(src, tgt, width, iterations)
    aligned = []
    for pair in pairs:
        s, words = (numbered([pair[side]], index, False)[0] for side, index in zip(way, indices))
        links = set()
        for j, word in enumerate(words):
            # The empty word stands first and wins ties; an unknown source word has t = 0.
            codes = np.concatenate([[0], s]) * width + word
            places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
            probabilities = np.where((known[places] == codes) & (np.concatenate([[1], s]) > 0), t[places], 0.0)
            i = int(probabilities.argmax()) - 1
            if i >= 0:
                links.add((i, j) if way == FORWARD else (j, i))
        aligned.append(links)
    return aligned


def by_target(links):
    return sorted(links, key=lambda link: (link[1], link[0]))


def merged(forward, backward, how):
    both, either = forward & backward, forward | backward
    if how != "grow-diag-final-and":
        return both if how == "intersection" else either
    links = set(both)
    free = lambda s, t: (all(link[0] != s for link in links), all(link[1] != t for link in links))
    while True:
        before = len(links)
        for s, t in by_target(links):
            for ds, dt in NEIGHBOURS:
                new = s + ds, t + dt
                if new in either and any(free(*new)):
                    links.add(new)
        if len(links) == before:
            break
    for direction in forward, backward:
        for link in by_target(direction):
            if all(free(*link)):
                links.add(link)
    return links


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("pairs")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--merge", choices=["intersection", "union", "grow-diag-final-and"])
    args = parser.parse_args()
    pairs = read(args.pairs)
    learned = [pair for pair in read(args.train) if pair[0] and pair[1]]
    if args.merge:
        ways = (directed(learned, pairs, way, args.iterations) for way in (FORWARD, BACKWARD))
        aligned = [merged(*links, args.merge) for links in zip(*ways)]
    else:
        aligned = directed(learned, pairs, BACKWARD if args.reverse else FORWARD, args.iterations)
    for links in aligned:
        print(" ".join(f"{i}-{j}" for i, j in sorted(links)))


if __name__ == "__main__":
    main()
