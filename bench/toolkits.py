#!/usr/bin/env python3
"""Times training here, in OpenNMT-py and in JoeyNMT, in turns on the same machine, on the same pieces of the same pairs.

    bench/.venv-toolkits/bin/python bench/toolkits.py MULTI30K [--rounds 3] [--updates 60] [--record]

MULTI30K holds `train.de.gz` and `train.en.gz`. One vocabulary, made by lookback, cuts the text for all; the model is that of
`recipes/multi30k-de-en.toml`: an encoder of 256 a direction, a decoder of 512 with dot attention and input feeding. The toolkits take
80 sentences a batch, lookback its 1,300 tokens (about as many). Every round trains each for some updates from the start, two threads;
the first third of the updates is a warm-up. A rate is target pieces a second, ends counted, as each of them reports it.
`--record` adds a row per program to `bench/RECORD.md`.
"""

import argparse
import datetime
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from run import ROOT, add_rows, commit, cpu

LOOKBACK = ROOT / "target/release/lookback"
THREADS = "2"
BIN = Path(sys.executable).parent
PAIRS = 12_000
EVERY = 10  # updates a report of the toolkits


def prepare(data, folder):
    """Raw pairs, their pieces, and the pieces as vocabularies."""
    for language in ["de", "en"]:
        lines = gzip.decompress((data / f"train.{language}.gz").read_bytes()).decode("utf-8").splitlines()[:PAIRS]
        for name, some in [("raw", lines), ("few", lines[:20])]:
            (folder / f"{name}.{language}").write_text("\n".join(some) + "\n", encoding="utf-8")
    run(ours(folder, "bf16", 1), folder)
    vocabulary = Counter()
    for language, side in [("de", "src"), ("en", "tgt")]:
        run([LOOKBACK, "tokenize", "-m", "lookback", "--side", side, "-i", f"raw.{language}", "-o", f"train.{language}"], folder)
        text = (folder / f"train.{language}").read_text(encoding="utf-8")
        vocabulary.update(text.split())
        (folder / f"valid.{language}").write_text("".join(line + "\n" for line in text.splitlines()[:20]), encoding="utf-8")
    pieces = [piece for piece, _ in vocabulary.most_common()]
    (folder / "vocab.onmt").write_text("".join(f"{piece}\t{vocabulary[piece]}\n" for piece in pieces), encoding="utf-8")
    (folder / "vocab.joey").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")


def run(command, folder):
    """Standard output and error of a command that must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": THREADS, "MKL_NUM_THREADS": THREADS, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([str(part) for part in command], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}")
    return done.stdout


def ours(folder, precision, updates):
    settings = [f"train.max_updates={updates}", "train.log_every=1", f"train.validate_every={updates}",
                f"train.precision={precision}", "train.validate_metrics=loss", "train.metric=loss"]
    return [LOOKBACK, "train", "--src", "raw.de", "--tgt", "raw.en", "--valid-src", "few.de", "--valid-tgt", "few.en", "--out", "lookback", "--overwrite", "--config",
            ROOT / "recipes/multi30k-de-en.toml", "--threads", THREADS] + [part for setting in settings for part in ("--set", setting)]


def lookback(precision):
    def rates(folder, updates):
        run(ours(folder, precision, updates), folder)
        lines = [json.loads(line) for line in open(folder / "lookback/metrics.jsonl", encoding="utf-8")]
        return [line["tokens_per_second"] for line in lines if line["kind"] == "update"]

    return rates


def opennmt(folder, updates):
    config = {
        "save_data": "onmt", "src_vocab": "vocab.onmt", "tgt_vocab": "vocab.onmt", "share_vocab": True,
        "data": {"corpus_1": {"path_src": "train.de", "path_tgt": "train.en"}},
        "save_model": "onmt/model", "overwrite": True, "train_steps": updates, "report_every": EVERY, "save_checkpoint_steps": 10 * updates,
        "encoder_type": "brnn", "decoder_type": "rnn", "rnn_type": "LSTM", "layers": 1, "hidden_size": 512, "word_vec_size": 512,
        "input_feed": 1, "global_attention": "dot", "share_decoder_embeddings": True, "dropout": [0.3], "batch_type": "sents",
        "batch_size": 80, "optim": "adam", "learning_rate": 0.0015, "max_grad_norm": 1, "label_smoothing": 0.1, "num_workers": 0,
        "bucket_size": PAIRS, "seed": 1,
    }
    (folder / "onmt.json").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    log = run([BIN / "onmt_train", "-config", "onmt.json"], folder)
    return [float(found) for found in re.findall(r"[\d.]+/\s*([\d.]+) tok/s", log)]


def joeynmt(folder, updates):
    rnn = {"type": "recurrent", "rnn_type": "lstm", "num_layers": 1, "embeddings": {"embedding_dim": 512}, "dropout": 0.3}
    side = {"voc_file": "vocab.joey", "level": "word", "lowercase": False}
    config = {
        "name": "joey", "joeynmt_version": "2.3.0", "model_dir": "joey", "use_cuda": False, "fp16": False, "random_seed": 1,
        "data": {"train": "train", "dev": "valid", "test": "valid", "dataset_type": "plain", "src": {"lang": "de"} | side, "trg": {"lang": "en"} | side,
                 "special_symbols": {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>",
                                     "unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3}},
        "training": {"optimizer": "adam", "learning_rate": 0.0015, "clip_grad_norm": 1.0, "batch_size": 80, "batch_type": "sentence",
                     "scheduling": "plateau", "patience": 100, "early_stopping_metric": "loss", "epochs": 1000, "updates": updates,
                     "validation_freq": 10 * updates, "logging_freq": EVERY, "overwrite": True, "shuffle": True, "loss": "crossentropy",
                     "label_smoothing": 0.1, "num_workers": 0},
        "testing": {"n_best": 1, "beam_size": 1, "batch_size": 20, "batch_type": "sentence", "max_output_length": 20, "eval_metrics": [], "return_prob": "none"},
        "model": {"initializer": "xavier_uniform", "tied_embeddings": False, "tied_softmax": True,
                  "encoder": rnn | {"hidden_size": 256, "bidirectional": True},
                  "decoder": rnn | {"hidden_size": 512, "attention": "luong", "input_feeding": True, "init_hidden": "bridge", "hidden_dropout": 0.3}},
    }
    (folder / "joey.yaml").write_text(json.dumps(config), encoding="utf-8")
    log = run([sys.executable, "-m", "joeynmt", "train", "joey.yaml", "--skip-test"], folder)
    return [float(found) for found in re.findall(r"Tokens per Sec:\s*([\d.]+)", log)]


PROGRAMS = {
    "lookback bf16": lookback("bf16"),
    "lookback f32": lookback("f32"),
    "OpenNMT-py": opennmt,
    "JoeyNMT": joeynmt,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("multi30k", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--record", action="store_true", help="add rows to bench/RECORD.md")
    args = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    rates = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(args.multi30k, folder)
        for at in range(args.rounds):
            for program, measure in PROGRAMS.items():
                found = measure(folder, args.updates)
                found = found[len(found) // 3 :]
                if not found:
                    sys.exit(f"{program} reported no rate")
                rates[program] += found
                print(f"round {at + 1}: {program}: {statistics.median(found):.0f} target tokens/s", file=sys.stderr, flush=True)
    median = {program: statistics.median(found) for program, found in rates.items()}
    rows = []
    for program, found in rates.items():
        ratios = [f"{median[program] / median[peer]:.2f}" for peer in ("OpenNMT-py", "JoeyNMT")]
        rows.append([program, f"{median[program]:.0f} ({min(found):.0f}–{max(found):.0f})", *ratios])
        print(f"{program}: {rows[-1][1]} target tokens/s; {ratios[0]} × OpenNMT-py, {ratios[1]} × JoeyNMT")
    if args.record:
        start = [datetime.date.today().isoformat(), commit(), cpu(), f"`bench/toolkits.py MULTI30K --rounds {args.rounds} --updates {args.updates}`"]
        add_rows("## Training beside the toolkits", [start + row for row in rows])


if __name__ == "__main__":
    main()
