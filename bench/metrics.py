"""Compares the metrics with sacreBLEU on random odd text, and times both.

    bench/metrics.py [--cases 3000] [--seed 1]      every digit, line and p-value must agree
    bench/metrics.py --speed [--lines 3000] [--ter-lines 300]     seconds of either, and their ratio

Needs the packages of requirements-metrics.txt. Builds and runs the example `metrics`, which reads requests as JSON.
"""

import argparse
import json
import logging
import os
import random
import resource
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

from sacrebleu import __version__
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

ROOT = Path(__file__).parent.parent
logging.getLogger("sacrebleu").setLevel(logging.ERROR)

METRICS = {"BLEU": BLEU, "CHRF": CHRF, "TER": TER}

# Python's `sum` adds with compensation since 3.12, and logarithms differ in the last bit between libraries.
REL = 1e-12

SPACES = [" "] * 40 + ["  ", "\t", "\u00a0", "\u3000", "\u2009", "\u202f", "\u200b", "\x1c", "\x1f", "\u0085", "\u2028", "\r", "\x0b", "\n", "-\n", "\n-"]
WORDS = (
    "the a of to in cat dog sat ran House TREE It's don't Tom's dogs' e-mail well-known 1990-2000 3,000 3.14 .5 5. 1,,2 U.S.A. v2.0 & < > \" ' - -- ... . , ; : ! ? ( ) [ ] { } "
    "/ a/b (hi) hi. \"so\" 'tis &quot; &amp; &lt; &gt; &amp;lt; &#39; <skipped> 50% $5 €3 §7 # @x ~ ^ _ ` | \\ = + * 漢字 今日は 雨です。 「はい」 カタカナ ｶﾀｶﾅ ＡＢＣ １２ 。 、 ・ ！ ？ ㈱ ㍻ ⺀ 𠀀 "
    "안녕 하세요 العربية ، ؟ ٣٫٥ ١٢ עברית हिन्दी । ไทย Ünïcödé e\u0301 ÉCOLE İstanbul ΟΔΟΣ ΣΣ ẞ ǅ 👍 👍🏽 👨‍👩‍👧 🎉🎉 — – … “ ” ‘ ’ „ « » ¿ ¡ ½ ² Ⅳ ① № ™ ° × → ≤ ﷼ \ufeff \u2060 \u00ad"
).split(" ")
# Rules differ for characters that one side's Unicode does not have yet.
KNOWN = [c for c in map(chr, range(0x20, 0x30000)) if unicodedata.category(c) not in ("Cn", "Cs", "Co")]


def line(rng: random.Random, words: list, longest: int) -> str:
    out = []
    for _ in range(rng.randint(0, longest)):
        what = rng.random()
        if what < 0.9:
            out.append(rng.choice(words))
        elif what < 0.97:
            out.append("".join(rng.choice(KNOWN) for _ in range(rng.randint(1, 4))))
        else:
            out.append(rng.choice(words) + rng.choice(words))
        out.append(rng.choice(SPACES) if rng.random() < 0.95 else "")
    return "".join(out)


def edited(text: str, rng: random.Random, words: list) -> str:
    """The line with words dropped, replaced, doubled, and runs of them moved."""
    parts = text.split(" ")
    for _ in range(rng.randint(0, 1 + len(parts) // 3)):
        at = rng.randrange(len(parts) + 1)
        what = rng.randrange(5)
        if what == 0:
            parts[at:at + 1] = []
        elif what == 1:
            parts[at:at + 1] = [rng.choice(words)]
        elif what == 2:
            parts[at:at] = parts[at:at + 2]
        else:
            run, parts[at:at + 4] = parts[at:at + 4], []
            to = rng.randrange(len(parts) + 1)
            parts[to:to] = run
    text = " ".join(parts)
    return text.upper() if rng.random() < 0.02 else text


def options(name: str, rng: random.Random) -> dict:
    def some(**choices):
        return {key: rng.choice(values) for key, values in choices.items() if rng.random() < 0.5}

    both = [False, True]
    if name == "BLEU":
        out = some(tokenize=["13a", "intl", "zh", "char", "none"], lowercase=both, effective_order=both, max_ngram_order=[1, 2, 3, 5, 8])
        method = rng.choice(["exp", "floor", "add-k", "none"])
        out["smooth_method"] = method
        if method in ("floor", "add-k") and rng.random() < 0.5:
            out["smooth_value"] = rng.choice([0.0, 0.01, 0.5, 1.0, 2.5])
        return out
    if name == "CHRF":
        return some(char_order=[1, 2, 5, 7, 12], word_order=[1, 2, 3], beta=[0, 1, 3], lowercase=both, whitespace=both, eps_smoothing=both)
    return some(normalized=both, no_punct=both, asian_support=both, case_sensitive=both)


def case(rng: random.Random) -> dict:
    """One request. Texts of few different words repeat n-grams and give TER much to move."""
    name = rng.choice(list(METRICS))
    words = WORDS if rng.random() < 0.6 else rng.sample(WORDS, rng.randint(2, 12))
    longest = rng.choice([1, 4, 15, 15, 40] + [120] * (rng.random() < 0.2))
    sentences = rng.randint(1, 6)
    widths = [rng.randint(1, 3)] * sentences if rng.random() < 0.8 else [rng.randint(1, 3) for _ in range(sentences)]
    hyps = [line(rng, words, longest) for _ in range(sentences)]
    related = rng.random() < 0.8
    refs = [[edited(h, rng, words) if related else line(rng, words, longest) for _ in range(w)] for h, w in zip(hyps, widths)]
    request = {"metric": name, "options": options(name, rng), "refs": refs}
    if rng.random() < 0.9:
        return request | {"hyps": hyps}
    # Sums over three references are not whole, and NumPy leaves the order of additions in the randomisation to its BLAS.
    test = "bs" if name == "TER" and max(widths) > 2 else rng.choice(["bs", "ar"])
    if request["options"].get("smooth_method") == "add-k":
        # There, sacreBLEU adds to whole numbers and loses the fraction.
        request["options"].pop("smooth_value", None)
    request["refs"] = [r[:1] + [edited(r[0], rng, words) for _ in range(max(widths) - 1)] for r in refs]
    systems = [[edited(r[0], rng, words) for r in refs] for _ in range(rng.randint(2, 3))]
    return request | {"test": test, "samples": rng.choice([1, 10, 100, 300]), "seed": rng.randint(1, 2**48), "systems": systems}


def streams(refs: list) -> list:
    return [[r[i] if i < len(r) else None for r in refs] for i in range(max(map(len, refs)))]


def wanted(request: dict):
    """sacreBLEU's answer to a request."""
    metric = METRICS[request["metric"]](**request["options"])
    if "hyps" in request:
        got = metric.corpus_score(request["hyps"], streams(request["refs"]))
        text = got.format(signature=str(metric.get_signature()))
        alone = [float(metric.sentence_score(h, r).score) for h, r in zip(request["hyps"], request["refs"])]
        return {"score": float(got.score), "line": text, "sentences": alone}
    os.environ["SACREBLEU_SEED"] = str(request["seed"])
    systems = [(f"System {i}", hyps) for i, hyps in enumerate(request["systems"])]
    test = PairedTest(systems, {"metric": metric}, streams(request["refs"]), test_type=request["test"], n_samples=request["samples"])
    _, scores = test()
    lines = next(value for key, value in scores.items() if key != "System")
    return [{"score": r.score, "mean": r.mean, "ci": r.ci, "p_value": r.p_value} for r in lines]


def same(got, want) -> bool:
    if isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[key], want[key]) for key in want)
    if isinstance(want, list):
        return len(got) == len(want) and all(map(same, got, want))
    if want is None or isinstance(want, str):
        return got == want
    return abs(got - float(want)) <= REL * abs(float(want))


def program(given: str | None) -> list:
    if given:
        return [given]
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "lookback", "--example", "metrics"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return [target / "release" / "examples" / "metrics"]


def answers(command: list, requests: list) -> list:
    text = "".join(json.dumps(request) + "\n" for request in requests)
    out = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()
    return [json.loads(answer.replace(f"version:lookback-{version()}", f"version:{__version__}")) for answer in out.split("\n")[:-1]]


def version() -> str:
    text = (ROOT / "Cargo.toml").read_text()
    return text.split('version = "')[1].split('"')[0]


def compare(command: list, cases: int, seed: int) -> None:
    rng = random.Random(seed)
    requests = [case(rng) for _ in range(cases)]
    wrong = 0
    for request, got in zip(requests, answers(command, requests), strict=True):
        want = wanted(request)
        if not same(got, want):
            wrong += 1
            print("differs:", json.dumps(request, ensure_ascii=False), "\n  got ", got, "\n  want", want)
    tests = sum("test" in request for request in requests)
    print(f"seed {seed}: {cases} cases, {tests} of them paired tests, {wrong} differ from sacreBLEU {__version__}")
    sys.exit(wrong > 0)


def speed(command: list, lines: int, ter_lines: int) -> None:
    """Prints seconds passed, and seconds of processor time, which other work on the machine does not lengthen; their ratio is of the latter.

    sacreBLEU's TER takes minutes for 3,000 lines, so both are compared on the first `ter_lines` there.
    """
    rng = random.Random(3)
    words = [f"w{int(rng.paretovariate(0.8)) % 5000}" for _ in range(20000)]
    refs = [[" ".join(rng.choice(words) for _ in range(rng.randint(5, 45)))] for _ in range(lines)]
    hyps = [edited(r[0], rng, words) for r in refs]

    def ours(name: str, count: int) -> tuple:
        # The best of a few runs, with starting the program, passing it the text, and the score of every line alone.
        request = {"metric": name, "options": {}, "hyps": hyps[:count], "refs": refs[:count]}
        return best(lambda: answers(command, [request]), 5, resource.RUSAGE_CHILDREN)

    for name, make in METRICS.items():
        passed, used = ours(name, lines)
        print(f"{name}, {lines} lines: lookback {passed:.3f} s ({used:.3f} s of processor)", flush=True)
        count = min(lines, ter_lines) if name == "TER" else lines
        used = used if count == lines else ours(name, count)[1]
        theirs = best(lambda: make().corpus_score(hyps[:count], streams(refs[:count])), 1 if name == "TER" else 3, resource.RUSAGE_SELF)
        print(f"    {count} lines: sacreBLEU {theirs[0]:.2f} s ({theirs[1]:.2f} s), lookback {used:.3f} s of processor, ratio {theirs[1] / used:.0f}", flush=True)


def best(work, runs: int, who: int) -> tuple:
    """The shortest time passed and the least processor time of some runs."""
    times = []
    for _ in range(runs):
        before, start = resource.getrusage(who), time.perf_counter()
        work()
        after = resource.getrusage(who)
        times.append((time.perf_counter() - start, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime))
    return min(t[0] for t in times), min(t[1] for t in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=3000)
    parser.add_argument("--ter-lines", type=int, default=300, help="lines on which TER is compared with sacreBLEU's")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--program", help="the built example, instead of building it")
    args = parser.parse_args()
    command = program(args.program)
    speed(command, args.lines, args.ter_lines) if args.speed else compare(command, args.cases, args.seed)


main()
