#!/usr/bin/env python3
"""The reference step R in stock PyTorch: the peer that our own speed is stated against.

B = 64 sentences, S = T = 16, V = 8000 on both sides, E = H = 512. Encoder: embedding, one bidirectional LSTM layer, 256 per
direction, concatenated. Decoder: embedding, one LSTM layer started from the encoder's final states; dot attention;
s̃ = tanh(W_c [a ; s] + b_c); output layer with bias; mean cross-entropy; gradient norm clipped to 1; Adam. No dropout, no
input feeding, no padding, single precision, eager mode.

With `--feed` the decoder is an LSTM cell in a loop whose input is [y ; s̃ of the step before]; with `--bf16` forward pass and loss
run under autocast to bfloat16.

Reads commands on standard input, one a line: `step N` runs N training steps and answers with one line, a JSON list of N
times in milliseconds. The end of input ends the program.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, LENGTH, VOCAB, WIDTH = 64, 16, 8000, 512


class Model(nn.Module):
    def __init__(self, feed):
        super().__init__()
        self.feed = feed
        self.src_embedding = nn.Embedding(VOCAB, WIDTH)
        self.encoder = nn.LSTM(WIDTH, WIDTH // 2, bidirectional=True)
        self.tgt_embedding = nn.Embedding(VOCAB, WIDTH)
        self.decoder = nn.LSTMCell(2 * WIDTH, WIDTH) if feed else nn.LSTM(WIDTH, WIDTH)
        self.attentional = nn.Linear(2 * WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, VOCAB)

    def forward(self, src, tgt_in):
        """src (S,B), tgt_in (T,B) → logits (T,B,V)."""
        memory, last = self.encoder(self.src_embedding(src))
        # (2,B,H/2) → (1,B,H): [forward ; reverse], of h and of c.
        start = tuple(torch.cat([x[0], x[1]], dim=-1)[None] for x in last)
        keys, embedded = memory.transpose(0, 1), self.tgt_embedding(tgt_in)
        if self.feed:
            return self.output(self.loop(keys, embedded, tuple(x[0] for x in start)))
        s, _ = self.decoder(embedded, start)
        return self.output(self.attend(keys, s))

    def attend(self, keys, s):
        """keys (B,S,H), s (T,B,H) → s̃ (T,B,H)."""
        weights = torch.softmax(s.transpose(0, 1) @ keys.transpose(1, 2), dim=-1)
        context = (weights @ keys).transpose(0, 1)
        return torch.tanh(self.attentional(torch.cat([context, s], dim=-1)))

    def loop(self, keys, embedded, state):
        """The decoder step by step, the attentional state fed back."""
        fed, attentional = torch.zeros_like(state[0]), []
        for y in embedded:
            state = self.decoder(torch.cat([y, fed], dim=-1), state)
            fed = self.attend(keys, state[0][None])[0]
            attentional.append(fed)
        return torch.stack(attentional)


class Trainer:
    def __init__(self, feed, bf16):
        self.model = Model(feed)
        self.bf16 = bf16
        self.optimiser = torch.optim.Adam(self.model.parameters())

    def step(self):
        """One update on random sentences → milliseconds, making the batch not counted."""
        src = torch.randint(4, VOCAB, (LENGTH, BATCH))
        tgt = torch.randint(4, VOCAB, (LENGTH + 1, BATCH))
        begin = time.perf_counter()
        self.optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(src, tgt[:-1])
            loss = F.cross_entropy(logits.flatten(0, 1), tgt[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        loss.item()
        return (time.perf_counter() - begin) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--feed", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    trainer = Trainer(args.feed, args.bf16)
    for line in sys.stdin:
        match line.split():
            case ["step", count] if count.isdecimal():
                print(json.dumps([round(trainer.step(), 3) for _ in range(int(count))]), flush=True)
            case _:
                sys.exit(f"unknown command `{line.strip()}`; say `step N`")


if __name__ == "__main__":
    main()
