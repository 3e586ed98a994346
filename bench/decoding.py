#!/usr/bin/env python3
"""Decoding in stock PyTorch: the peer that our own decoding is stated against.

The model of `reference.py` with random weights; sources of 16 positions, exactly 20 steps, greedy or with a beam. The decoder is
an LSTMCell. `--weights int8` quantises its linear layers and LSTMs dynamically (torch.ao.quantization); `--script` compiles the whole
loop with TorchScript. Nothing is read but the best token (greedy: of the logits, without a softmax).

Reads `step N` on standard input, as `reference.py` does.
"""

import argparse
import json
import sys
import time
import warnings

import torch
from torch import Tensor, nn

from reference import LENGTH, VOCAB, WIDTH

STEPS = 20


class Decoder(nn.Module):
    def __init__(self, beam: int):
        super().__init__()
        self.beam = beam
        self.src_embedding = nn.Embedding(VOCAB, WIDTH)
        self.encoder = nn.LSTM(WIDTH, WIDTH // 2, bidirectional=True)
        self.tgt_embedding = nn.Embedding(VOCAB, WIDTH)
        self.cell = nn.LSTMCell(WIDTH, WIDTH)
        self.attentional = nn.Linear(2 * WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, VOCAB)

    def step(self, words: Tensor, h: Tensor, c: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """words (R), state (R,H), keys (R,S,H) → logits (R,V), state."""
        h, c = self.cell(self.tgt_embedding(words), (h, c))
        weights = torch.softmax(torch.bmm(keys, h.unsqueeze(2)).squeeze(2), dim=-1)
        context = torch.bmm(weights.unsqueeze(1), keys).squeeze(1)
        return self.output(torch.tanh(self.attentional(torch.cat([context, h], dim=-1)))), h, c

    def forward(self, src: Tensor) -> Tensor:
        """src (S,B) → ids (B,20)."""
        memory, last = self.encoder(self.src_embedding(src))
        keys = memory.transpose(0, 1).contiguous()
        h, c = torch.cat([last[0][0], last[0][1]], dim=-1), torch.cat([last[1][0], last[1][1]], dim=-1)
        batch, k = src.size(1), self.beam
        words = torch.full([batch], 2, dtype=torch.long)
        said = torch.empty([batch, 0], dtype=torch.long)
        if k == 1:
            for _ in range(20):
                logits, h, c = self.step(words, h, c, keys)
                words = torch.argmax(logits, dim=-1)
                said = torch.cat([said, words.unsqueeze(1)], dim=1)
            return said
        # The first step has one hypothesis per sentence.
        logits, h, c = self.step(words, h, c, keys)
        scores, best = torch.topk(torch.log_softmax(logits, dim=-1), k, dim=-1)
        words, said = best.flatten(), best.reshape(-1, 1)
        rows = torch.arange(batch).repeat_interleave(k)
        h, c, keys = h[rows], c[rows], keys[rows]
        first = (torch.arange(batch) * k).unsqueeze(1)
        for _ in range(19):
            logits, h, c = self.step(words, h, c, keys)
            total = scores.reshape(-1, 1) + torch.log_softmax(logits, dim=-1)
            scores, best = torch.topk(total.reshape(batch, -1), k, dim=-1)
            rows = (first + best // logits.size(1)).flatten()
            words = (best % logits.size(1)).flatten()
            said = torch.cat([said[rows], words.unsqueeze(1)], dim=1)
            h, c = h[rows], c[rows]
        return said[:: k]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--weights", choices=["f32", "int8"], default="f32")
    parser.add_argument("--script", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = Decoder(args.beam).eval()
    if args.weights == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM, nn.LSTMCell}, dtype=torch.qint8)
    if args.script:
        model = torch.jit.script(model)

    def run():
        src = torch.randint(4, VOCAB, (LENGTH, args.batch))
        begin = time.perf_counter()
        said = model(src)
        elapsed = (time.perf_counter() - begin) * 1000
        assert said.shape == (args.batch, STEPS)
        return round(elapsed, 3)

    with torch.inference_mode():
        for line in sys.stdin:
            match line.split():
                case ["step", count] if count.isdecimal():
                    print(json.dumps([run() for _ in range(int(count))]), flush=True)
                case _:
                    sys.exit(f"unknown command `{line.strip()}`; say `step N`")


if __name__ == "__main__":
    main()
