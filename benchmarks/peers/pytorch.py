"""PyTorch as a peer: reads one JSON request a line from standard input, answers one JSON line.

{"model": [layers, hidden, heads, intermediate], "batch": 32, "length": 64}  makes one training step (forward, backward, AdamW) of a BERT classifier with random
weights and dropout 0.1, and answers {"seconds": s, "peak_mb": resident set's maximum}. Started by `Limbeck.Benchmarks -- peers`, which sets THREADS.
Run it with OPENBLAS_CORETYPE set to nothing: Debian's build is at its best so.
"""

import json
import math
import os
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(int(os.environ["THREADS"]))


class Layer(nn.Module):
    def __init__(self, hidden, heads, intermediate):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(hidden, hidden) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(hidden, 1e-12), nn.LayerNorm(hidden, 1e-12)
        self.up, self.down = nn.Linear(hidden, intermediate), nn.Linear(intermediate, hidden)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, x):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        p = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1)
        context = (F.dropout(p, 0.1) @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm1(x + F.dropout(self.output(context), 0.1))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), 0.1))


class Classifier(nn.Module):
    def __init__(self, layers, hidden, heads, intermediate):
        super().__init__()
        self.words, self.positions, self.types = nn.Embedding(30522, hidden), nn.Embedding(512, hidden), nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden, 1e-12)
        self.layers = nn.ModuleList(Layer(hidden, heads, intermediate) for _ in range(layers))
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, 2)

    def forward(self, ids):
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1])) + self.types(torch.zeros_like(ids))
        x = F.dropout(self.norm(x), 0.1)
        for layer in self.layers:
            x = layer(x)
        return self.classifier(F.dropout(torch.tanh(self.pooler(x[:, 0])), 0.1))


made = {}
for line in sys.stdin:
    request = json.loads(line)
    key = tuple(request["model"])
    if key not in made:
        made.clear()
        torch.manual_seed(1)
        model = Classifier(*key)
        made[key] = model, torch.optim.AdamW(model.parameters(), 5e-5, weight_decay=0.01)
    model, optimizer = made[key]
    ids = torch.randint(1000, 20000, (request["batch"], request["length"]))
    labels = torch.arange(request["batch"]) % 2
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(ids), labels).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
