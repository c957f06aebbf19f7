#!/usr/bin/env python3
"""Tokens a second of onnxruntime, as `ernie bench encode` measures ours:

    encode_onnxruntime.py MODEL.onnx TOKENIZER.json FILE THREADS [REPEATS]

Texts are sorted by length and padded within batches of 8, which is onnxruntime's
best case of those tried; padding is not counted. Needs onnxruntime and tokenizers.
"""
import sys
import time

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

model, tokenizer, texts, threads = sys.argv[1:5]
repeats = int(sys.argv[5]) if len(sys.argv) > 5 else 5
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = {i.name for i in session.get_inputs()}
tokenizer = Tokenizer.from_file(tokenizer)
tokenizer.no_padding()
tokenizer.enable_truncation(512)
with open(texts, encoding="utf-8") as file:
    ids = sorted((e.ids for e in tokenizer.encode_batch(file.read().splitlines())), key=len)
batches = []
for i in range(0, len(ids), 8):
    part = ids[i:i + 8]
    array = np.zeros((len(part), max(map(len, part))), np.int64)
    mask = np.zeros_like(array)
    for row, sequence in enumerate(part):
        array[row, :len(sequence)] = sequence
        mask[row, :len(sequence)] = 1
    given = dict(input_ids=array, attention_mask=mask, token_type_ids=np.zeros_like(array))
    batches.append({k: v for k, v in given.items() if k in names})
times = []
for _ in range(repeats + 1):
    start = time.perf_counter()
    for batch in batches:
        session.run(None, batch)
    times.append(time.perf_counter() - start)
n_tokens = sum(map(len, ids))
print(f"onnxruntime {onnxruntime.__version__}: {n_tokens / sorted(times[1:])[repeats // 2]:.0f} tokens/s "
      f"({len(ids)} texts, {n_tokens} tokens)")
