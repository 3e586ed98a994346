"""IBM Model 1 (Brown et al. 1993, section 4.1): the word aligner that `lookback align` is measured against.

    bench/.venv/bin/python bench/ibm1.py TRAIN PAIRS… --out FOLDER      lines of `source TAB target`, tokenised

Learns t(target word | source word) by expectation maximisation on TRAIN, an empty source word included, and links each target word of PAIRS to the
source word with the highest t; to none if that is the empty word, or if TRAIN never had the two together. Then the same the other way round, and the two
merged (Koehn, Och & Marcu 2003, section 3.1). Words are compared in lower case. For a file `test.tsv` it writes test.forward.links, test.backward.links,
test.intersection.links, test.union.links and test.grow-diag-final-and.links, Pharaoh's links from 0, source-target in all of them. TRAIN may be among PAIRS:
so it makes the links that `lookback train --guided-alignment` learns from.
"""

import argparse
import sys
from pathlib import Path

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


def directed(learned, groups, way, iterations):
    """→ for each group of pairs the links (source, target) of each pair: each word of side way[1] linked to one of side way[0]."""
    indices = {}, {}
    src, tgt = (numbered([pair[side] for pair in learned], index, True) for side, index in zip(way, indices))
    width = len(indices[1]) + 1
    known, t = train(src, tgt, width, iterations)
    return [[best(pair, way, indices, width, known, t) for pair in pairs] for pairs in groups]


def best(pair, way, indices, width, known, t):
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
    return links


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
    parser.add_argument("train", type=Path)
    parser.add_argument("pairs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=10)
    args = parser.parse_args()
    learned = [pair for pair in read(args.train) if pair[0] and pair[1]]
    groups = [read(path) for path in args.pairs]
    ways = [directed(learned, groups, way, args.iterations) for way in (FORWARD, BACKWARD)]
    args.out.mkdir(parents=True, exist_ok=True)
    for path, forward, backward in zip(args.pairs, *ways):
        write(args.out, path, "forward", forward)
        write(args.out, path, "backward", backward)
        for how in ["intersection", "union", "grow-diag-final-and"]:
            write(args.out, path, how, [merged(*links, how) for links in zip(forward, backward)])


def write(out, path, how, aligned):
    with open(out / f"{path.stem}.{how}.links", "w", encoding="utf-8") as links:
        links.writelines(" ".join(f"{i}-{j}" for i, j in sorted(pair)) + "\n" for pair in aligned)


if __name__ == "__main__":
    main()
