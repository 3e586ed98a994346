#!/usr/bin/env python3
"""Times the reference step R here and in PyTorch, in turns on the same machine, and states the ratio.

    python3 -m venv bench/.venv && bench/.venv/bin/pip install -r bench/requirements.txt
    bench/.venv/bin/python bench/run.py [--blocks 6] [--feed] [--bf16] [--record]

Machines are noisy from one minute to the next, so the two alternate in blocks of five steps, two threads each; the first
block of each is a warm-up. `--feed` feeds the attentional state back on both sides; `--bf16` rounds the operands of products to
bfloat16 here and runs PyTorch under autocast. `--record` adds a row to `bench/RECORD.md`. Needs only the standard library itself;
`--peer` and `--ours` replace a side's command, both speak the protocol of `reference.py`.
"""

import argparse
import datetime
import json
import platform
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = "cargo run --release --quiet -p lookback --example reference_step -- --interactive"
STEPS_PER_BLOCK = 5
TARGET_TOKENS = 64 * 16
# Longer than an OpenMP runtime keeps idle threads spinning (200 ms at most), so that no side computes beside the other's.
PAUSE = 0.3


class Side:
    """One of the two programs, waiting for `step N`."""

    def __init__(self, name, command, steps=STEPS_PER_BLOCK):
        self.name, self.command, self.steps, self.times = name, command, steps, []
        self.process = subprocess.Popen(shlex.split(command), cwd=ROOT, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def block(self):
        try:
            self.process.stdin.write(f"step {self.steps}\n")
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            sys.exit(f"{self.name} ended early: {self.command}")
        times = json.loads(answer)
        if len(times) != self.steps:
            sys.exit(f"{self.name} answered {len(times)} times to `step {self.steps}`")
        return times

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def summary(self, digits=0):
        median, least, most = (f"{x:.{digits}f}" for x in (statistics.median(self.times), min(self.times), max(self.times)))
        return f"{median} ({least}–{most})"


def measure(sides, blocks):
    for block in range(blocks + 1):
        for side in sides:
            times = side.block()
            if block > 0:
                side.times += times
            time.sleep(PAUSE)


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def commit():
    changed = output_of("git", "status", "--porcelain", "--untracked-files=no")
    return output_of("git", "rev-parse", "--short", "HEAD") + ("+changes" if changed else "")


def cpu():
    """The processor's name, and its widest vector unit where the name says little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    value = lambda key: next((l.split(":", 1)[1].strip() for l in lines if l.startswith(key)), "")
    flags = value("flags").split()
    widest = next((f for f in ["amx_bf16", "avx512_bf16", "avx512f", "avx2", "asimd"] if f in flags), "")
    return f"{value('model name') or platform.machine()} {widest}".strip()


def add_rows(heading, rows):
    """Adds rows to the table at the end of a section of the record."""
    path = ROOT / "bench/RECORD.md"
    before, mark, section = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    if not mark:
        sys.exit(f"{path} has no `{heading}`")
    table, gap, after = section.partition("\n\n#")
    added = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    end = gap[1:] + after if gap else ""
    path.write_text(before + mark + table.rstrip("\n") + "\n" + added + end, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=6, help="counted blocks of five steps on each side, at least 4")
    parser.add_argument("--record", action="store_true", help="add a row to bench/RECORD.md")
    parser.add_argument("--feed", action="store_true", help="with input feeding")
    parser.add_argument("--bf16", action="store_true", help="with products in bfloat16")
    parser.add_argument("--ours", default=OURS)
    parser.add_argument("--peer", default=f"{shlex.quote(sys.executable)} bench/reference.py --threads 2")
    args = parser.parse_args()
    if args.blocks < 4:
        parser.error("fewer than 4 blocks are fewer than 20 steps")

    variant = "".join(f" --{name}" for name in ("feed", "bf16") if getattr(args, name))
    ours, peer = sides = [Side("lookback", args.ours + variant), Side("PyTorch", args.peer + variant)]
    measure(sides, args.blocks)
    for side in sides:
        side.close()
    ratio = statistics.median(peer.times) / statistics.median(ours.times)
    for side in sides:
        tokens = TARGET_TOKENS / statistics.median(side.times) * 1000
        print(f"{side.name:9} {side.summary()} ms, median (min–max) of {len(side.times)} steps; {tokens:.0f} target tokens/s")
    print(f"ratio     {ratio:.2f} × PyTorch")

    if args.record:
        command = f"bench/run.py --blocks {args.blocks}{variant}"
        cells = [datetime.date.today().isoformat(), commit(), cpu(), f"`{command}`", ours.summary(), peer.summary(), f"{ratio:.2f}"]
        add_rows("### Times", [cells])


if __name__ == "__main__":
    main()
