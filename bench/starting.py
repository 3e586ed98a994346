#!/usr/bin/env python3
"""Times the program from its start to the end of its first translation.

    python3 bench/starting.py my-model-int8 [--times 20] [--threads 1 2] [--program target/release/lookback]

The model folder is one of yours; its files are in the system's cache after the first runs, which do not count. Milliseconds: from the start of the process to the first
byte of the translation, and to its end; and its processor time.
"""

import argparse
import resource
import statistics
import subprocess
import time

SOURCE = b"Wo ist der Bahnhof?\n"


def processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command):
    """Seconds to the first byte, to the end, and of the processor."""
    before, start = processor(), time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        child.stdin.write(SOURCE)
        child.stdin.close()
        assert child.stdout.read(1), f"{command} says nothing"
        first = time.perf_counter()
        child.stdout.read()
        assert child.wait() == 0, f"{command} failed"
    return first - start, time.perf_counter() - start, processor() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--program", default="target/release/lookback")
    args = parser.parse_args()
    for threads in args.threads:
        command = [args.program, "translate", "-m", args.model, "--threads", str(threads)]
        times = [run(command) for _ in range(args.times + 2)][2:]
        said = []
        for name, column in zip(["first byte", "end", "processor"], zip(*times)):
            column = [1000 * seconds for seconds in column]
            said.append(f"{name} {statistics.median(column):.1f} ({min(column):.1f}–{max(column):.1f})")
        print(f"{threads} thread{'s'[: threads > 1]}: {', '.join(said)} ms", flush=True)


if __name__ == "__main__":
    main()
