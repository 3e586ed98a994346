#!/usr/bin/env python3
"""Times decoding here and in PyTorch, in turns on the same machine, and states the ratios.

    bench/.venv/bin/python bench/run_decoding.py [--blocks 6] [--record]

For every size the programs alternate in blocks, two threads each; the first block of each is a warm-up. PyTorch runs eager and as
TorchScript, and the faster one counts. `--record` adds a row per size to `bench/RECORD.md`.
"""

import argparse
import datetime
import shlex
import statistics
import subprocess
import sys

from run import ROOT, Side, add_rows, commit, cpu, measure

OURS = "target/release/examples/reference_decoding --interactive"
PEER = f"{shlex.quote(sys.executable)} bench/decoding.py"
# What is done, its options, batches per block.
SIZES = [
    ("greedy, batch 1, f32", "--batch 1 --beam 1 --weights f32", 10),
    ("greedy, batch 1, int8", "--batch 1 --beam 1 --weights int8", 25),
    ("beam 5, batch 1, int8", "--batch 1 --beam 5 --weights int8", 15),
    ("greedy, batch 32, int8", "--batch 32 --beam 1 --weights int8", 8),
    ("beam 5, batch 32, int8", "--batch 32 --beam 5 --weights int8", 3),
]


def compare(options, count, blocks):
    """Ours on two threads and on one, and the peer's two ways."""
    commands = {
        "lookback": f"{OURS} {options} --threads 2",
        "one thread": f"{OURS} {options} --threads 1",
        "eager": f"{PEER} {options} --threads 2",
        "script": f"{PEER} {options} --threads 2 --script",
    }
    sides = {name: Side(name, command, count) for name, command in commands.items()}
    measure(sides.values(), blocks)
    for side in sides.values():
        side.close()
    return sides


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=6, help="counted blocks of each program and size")
    parser.add_argument("--record", action="store_true", help="add rows to bench/RECORD.md")
    args = parser.parse_args()
    build = ["cargo", "build", "--release", "--quiet", "-p", "lookback", "--example", "reference_decoding"]
    subprocess.run(build, cwd=ROOT, check=True)
    rows = []
    for name, options, count in SIZES:
        sides = compare(options, count, args.blocks)
        peer = min((sides["eager"], sides["script"]), key=lambda side: statistics.median(side.times))
        median = {name: statistics.median(side.times) for name, side in sides.items()}
        ratio, second = median[peer.name] / median["lookback"], median["one thread"] / median["lookback"]
        batch = int(options.split()[1])
        row = [name, sides["lookback"].summary(2), f"{1000 * batch / median['lookback']:.0f}", peer.summary(2), peer.name,
               f"{ratio:.2f}", f"{second:.2f}"]
        print(f"{row[0]}: lookback {row[1]} ms, {row[2]} sentences/s; PyTorch {row[3]} ms ({row[4]}); ratio {row[5]}; second thread {row[6]}", flush=True)
        rows.append(row)
    if args.record:
        start = [datetime.date.today().isoformat(), commit(), cpu(), f"`bench/run_decoding.py --blocks {args.blocks}`"]
        add_rows("## Decoding", [start + row for row in rows])


if __name__ == "__main__":
    main()
