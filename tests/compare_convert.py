"""What `ernie model convert` writes, opened by transformers: the same tensors by the same
names, none missing and none unexpected, from each form in which checkpoints come.

    python tests/compare_convert.py [./ernie]
"""
import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import (AutoModel, BertConfig, BertForMaskedLM, BertForSequenceClassification,
                          BertModel, ErnieConfig, ErnieModel)

ernie = sys.argv[1] if len(sys.argv) > 1 else "./ernie"
sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
             vocab_size=40, max_position_embeddings=24)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(0x4e00 + i) for i in range(35)]


def rewrite(folder, change):
    """Gives change the tensors of a single file, and writes what it returns."""
    path = os.path.join(folder, "model.safetensors")
    save_file({k: v.contiguous() for k, v in change(load_file(path)).items()}, path)


def old_names(tensors):
    return {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias",
            "LayerNorm.beta"): v for k, v in tensors.items()}


def with_positions(tensors):
    return {**tensors, "embeddings.position_ids": torch.arange(24)[None]}


def paddle(tensors):
    return {k: v.T if v.ndim == 2 and "embeddings" not in k else v for k, v in tensors.items()}


def cases():
    bert, task = BertConfig(**sizes), ErnieConfig(**sizes, use_task_id=True)
    yield "bert", BertModel(bert), {}, None, None
    yield "sharded", BertModel(bert), {"max_shard_size": "20KB"}, None, None
    yield "half", ErnieModel(task).half(), {}, None, None
    yield "bfloat16, sharded", ErnieModel(task).bfloat16(), {"max_shard_size": "20KB"}, None, None
    yield "prefix and a head of training", BertForMaskedLM(bert), {}, None, None
    yield "a classifier", BertForSequenceClassification(bert), {}, None, None
    yield "gamma and beta", BertModel(bert), {}, old_names, None
    yield "position numbers", BertModel(bert), {}, with_positions, None
    yield "transposed", ErnieModel(task), {}, paddle, None
    for dtype in ("f16", "bf16", "f32"):
        yield "to " + dtype, BertModel(bert), {}, None, dtype
    yield "half to f32", BertModel(bert).half(), {}, None, "f32"


types = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
for name, model, options, change, dtype in cases():
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "in"), os.path.join(folder, "out")
        model.save_pretrained(source, **options)
        with open(os.path.join(source, "vocab.txt"), "w") as file:
            file.write("\n".join(words) + "\n")
        if change:
            rewrite(source, change)
        n_files = sum(f.endswith(".safetensors") for f in os.listdir(source))
        assert (n_files > 1) == ("max_shard_size" in options), os.listdir(source)
        subprocess.run([ernie, "model", "convert", source, out]
                       + (["--dtype", dtype] if dtype else []), check=True,
                       stdout=subprocess.DEVNULL)
        assert not [f for f in os.listdir(out) if f.endswith(".index.json")]
        is_head = isinstance(model, BertForSequenceClassification)
        kind = BertForSequenceClassification if is_head else AutoModel
        read, info = kind.from_pretrained(out, output_loading_info=True, dtype="auto"
                                          if not dtype else types[dtype])
        allowed = {"pooler.dense.weight", "pooler.dense.bias"} \
            if isinstance(model, BertForMaskedLM) else set()
        assert set(info["missing_keys"]) <= allowed, info
        assert not info["unexpected_keys"] and not info["mismatched_keys"], info
        original = model.bert if isinstance(model, BertForMaskedLM) else model
        got, n = read.state_dict(), 0
        for key, value in original.state_dict().items():
            wanted = value.to(types[dtype]) if dtype else value
            assert got[key].dtype == wanted.dtype and torch.equal(got[key], wanted), key
            n += 1
        print(f"{name}: {n_files} file(s), {n} tensors identical")
