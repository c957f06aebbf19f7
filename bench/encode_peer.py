#!/usr/bin/env python3
"""The speed of a peer, as `ernie bench encode` measures ours:

    encode_peer.py ENGINE MODEL TOKENIZER.json texts|query FILE THREADS [REPEATS]

ENGINE is onnxruntime, openvino or openvino-bf16 (MODEL a .onnx file), torch or torch-bf16
(a directory with model.safetensors); FILE has a text a line. Prints the engine's version, a tab, and for
texts the tokens a second of the median repeat, for a query (the first line of FILE)
the median time in ms.

Texts are tokenized beforehand, sorted by length and padded within batches of 8, the
best case of those tried; padding is not counted, nor is pooling. Needs tokenizers and
onnxruntime, or openvino, or torch and transformers.
"""
import sys
import time

import numpy as np
from tokenizers import Tokenizer

BATCH = 8
N_QUERIES = 200


def open_onnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = {i.name for i in session.get_inputs()}

    def prepare(ids, mask):
        given = dict(input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids))
        return {name: array for name, array in given.items() if name in names}

    return onnxruntime.__version__, prepare, lambda batch: session.run(None, batch)


def open_openvino(model, threads, precision):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    })
    request = compiled.create_infer_request()
    names = {i.any_name for i in compiled.inputs}

    def prepare(ids, mask):
        given = dict(input_ids=ids, attention_mask=mask, token_type_ids=np.zeros_like(ids))
        return {name: array for name, array in given.items() if name in names}

    return openvino.__version__.split("-")[0], prepare, request.infer


def open_torch(model, threads, dtype):
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    bert = transformers.BertModel.from_pretrained(
        model, dtype=getattr(torch, dtype), add_pooling_layer=False).eval()

    def prepare(ids, mask):
        given = dict(input_ids=torch.from_numpy(ids))
        if not mask.all():  # without one there is nothing to add to the scores
            given["attention_mask"] = torch.from_numpy(mask)
        return given

    return torch.__version__, prepare, lambda batch: bert(**batch)


ENGINES = {
    "onnxruntime": open_onnxruntime,
    "openvino": lambda model, threads: open_openvino(model, threads, "f32"),
    "openvino-bf16": lambda model, threads: open_openvino(model, threads, "bf16"),
    "torch": lambda model, threads: open_torch(model, threads, "float32"),
    "torch-bf16": lambda model, threads: open_torch(model, threads, "bfloat16"),
}


def make_batches(sequences, prepare):
    sequences = sorted(sequences, key=len)
    for i in range(0, len(sequences), BATCH):
        part = sequences[i:i + BATCH]
        ids = np.zeros((len(part), max(map(len, part))), np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(part):
            ids[row, :len(sequence)] = sequence
            mask[row, :len(sequence)] = 1
        yield prepare(ids, mask)


def median_seconds(run, batches, n_warming, n_rounds):
    seconds = []
    for _ in range(n_warming + n_rounds):
        start = time.perf_counter()
        for batch in batches:
            run(batch)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[n_warming:])[n_rounds // 2]


def main():
    engine, model, tokenizer, workload, texts, threads = sys.argv[1:7]
    repeats = int(sys.argv[7]) if len(sys.argv) > 7 else 3
    version, prepare, run = ENGINES[engine](model, int(threads))
    tokenizer = Tokenizer.from_file(tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    with open(texts, encoding="utf-8") as file:
        sequences = [e.ids for e in tokenizer.encode_batch(file.read().splitlines())]
    if workload == "query":
        batches = list(make_batches(sequences[:1], prepare))
        print(f"{version}\t{median_seconds(run, batches, N_QUERIES // 10, N_QUERIES) * 1e3:.4f}")
    else:
        batches = list(make_batches(sequences, prepare))
        n_tokens = sum(map(len, sequences))
        print(f"{version}\t{n_tokens / median_seconds(run, batches, 1, repeats):.1f}")


main()
