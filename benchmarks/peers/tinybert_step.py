"""The step of TinyBERT's own code as a peer: reads one JSON request a line from standard input, answers one JSON line.

{"teacher": [layers, hidden, heads, intermediate], "student": [...], "batch": 32, "length": 64}  makes one update of the intermediate stage and answers {"seconds": s}.

Models, optimizer and losses are those of the authors' TinyBERT folder (huawei-noah/Pretrained-Language-Model), found through the variable REFERENCE: their BERT with random
weights, their BertAdam, attention scores with masked places set to zero, hidden states through fit_dense. As in their task_distill.py every text is padded to the full length
and the teacher runs for every batch, with its dropout on. Started by `Limbeck.Benchmarks -- peers distill`, which sets THREADS too.
"""

import json
import logging
import os
import random
import sys
import time
import types

import torch

for name in ("boto3", "botocore", "botocore.exceptions", "requests", "tqdm"):  # only their downloads need these
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].ClientError, sys.modules[name].tqdm, sys.modules[name].__path__ = Exception, None, []

sys.path.insert(0, os.environ["REFERENCE"])
from transformer.modeling import BertConfig, TinyBertForSequenceClassification  # noqa: E402
from transformer.optimization import BertAdam  # noqa: E402

logging.disable(logging.INFO)
torch.set_num_threads(int(os.environ["THREADS"]))
random.seed(1)
real = json.loads(os.environ.get("LENGTHS", "[]"))  # how many tokens of each text are not padding


def create(sizes, teacher_width):
    layers, hidden, heads, intermediate = sizes
    config = BertConfig(30522, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=intermediate)
    return TinyBertForSequenceClassification(config, num_labels=2, fit_size=teacher_width)


def masked(scores):
    return torch.where(scores <= -1e2, torch.zeros_like(scores), scores)


made = {}
for line in sys.stdin:
    request = json.loads(line)
    key = json.dumps([request["teacher"], request["student"]])
    if key not in made:
        torch.manual_seed(1)
        teacher, student = (create(request[who], request["teacher"][1]) for who in ("teacher", "student"))
        student.train()
        spared = ("bias", "LayerNorm.bias", "LayerNorm.weight")
        groups = [[], []]
        for name, parameter in student.named_parameters():
            groups[any(part in name for part in spared)].append(parameter)
        rule = [{"params": groups[0], "weight_decay": 0.01}, {"params": groups[1], "weight_decay": 0.0}]
        made = {key: (teacher, student, BertAdam(rule, schedule="none", lr=5e-5, warmup=0.1, t_total=100000))}
    teacher, student, optimizer = made[key]
    batch, length = request["batch"], request["length"]
    ids = torch.randint(1000, 20000, (batch, length))
    kept = random.choices(real, k=batch) if real else [length] * batch
    mask = (torch.arange(length)[None] < torch.tensor(kept)[:, None]).long()
    types_of = torch.zeros_like(ids)
    start = time.perf_counter()
    _, own_scores, own_states = student(ids, types_of, mask, is_student=True)
    with torch.no_grad():
        _, scores, states = teacher(ids, types_of, mask)
    block = len(scores) // len(own_scores)
    loss = sum(torch.nn.functional.mse_loss(masked(own), masked(scores[i * block + block - 1])) for i, own in enumerate(own_scores))
    loss = loss + sum(torch.nn.functional.mse_loss(own, states[i * block]) for i, own in enumerate(own_states))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
