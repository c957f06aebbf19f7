#!/usr/bin/env python3
"""Makes the models and vectors that check_encoder compares with, by transformers.

    python3 make_reference.py MODELS OUT

MODELS is the project's models/ folder, OUT this one. Needs torch, transformers,
safetensors. Small models with random weights cover the shapes and namings that
checkpoints come in; the project's own model is widened to float32 for the
reference. Each OUT/NAME/ is a model directory with two files more: ids.txt (a
sequence a line: ids, "|", token types, "|", task types) and expected.f32 (the token vectors
of all lines, then the pooled vectors of length 1, little-endian float32). For the
default model there are OUT/default.txt (texts) and OUT/default.f32.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoTokenizer, BertConfig, BertModel, ErnieConfig, ErnieModel

models, out = map(pathlib.Path, sys.argv[1:3])
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(0x4E00 + i) for i in range(59)]

# name, class, hidden, heads, layers, inner, stored as, prefix, old names, task types, pooling
SHAPES = [
    ("bert-f32", BertModel, 32, 4, 2, 64, "f32", "bert.", False, False, "mean"),
    ("ernie-task-f32", ErnieModel, 32, 2, 2, 48, "f32", "ernie.", False, True, "cls"),
    ("ernie-head26", ErnieModel, 52, 2, 1, 40, "f32", "", True, True, "mean"),
    ("bert-f16", BertModel, 24, 3, 1, 56, "f16", "", False, False, "mean"),
    ("bert-bf16", BertModel, 16, 1, 1, 16, "bf16", "", False, False, "cls"),
    ("ernie-i8", ErnieModel, 40, 5, 2, 72, "i8", "ernie.", False, False, "mean"),
]


def store(state, kind, prefix, old):
    """The tensors to write, and the float32 values that they stand for."""
    written, meant = {}, {}
    for name, value in state.items():
        value = value.float()
        key = prefix + name
        if old:
            key = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        if kind == "i8" and value.dim() == 2 and ("dense" in name or "self" in name or "word_" in name):
            scale = value.abs().amax(1, keepdim=True) / 127
            rounded = torch.round(value / scale)
            written[key] = rounded.to(torch.int8)
            written[key + "_scale"] = scale
            value = rounded * scale
        else:
            written[key] = value.to({"f16": torch.float16, "bf16": torch.bfloat16}.get(kind, torch.float32))
            value = written[key].float()
        meant[name] = value
    return written, meant


def save(tensors, path):
    from safetensors.torch import save_file as save_torch

    save_torch({k: v.contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt"})


def pool(tokens, kind):
    vector = tokens[0] if kind == "cls" else tokens.mean(0)
    return vector / vector.norm()


def small(name, cls, hidden, heads, layers, inner, kind, prefix, old, task, pooling):
    torch.manual_seed(len(name) * 1000 + hidden)
    options = dict(vocab_size=64, hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=layers,
                   intermediate_size=inner, max_position_embeddings=40, type_vocab_size=2,
                   layer_norm_eps=1e-5 if old else 1e-12, initializer_range=0.3)
    if cls is ErnieModel:
        options.update(use_task_id=task, task_type_vocab_size=3)
    config = (ErnieConfig if cls is ErnieModel else BertConfig)(**options)
    model = cls(config, add_pooling_layer=False).eval()
    for parameter in model.parameters():  # biases and norms too: zeros and ones would hide a mistake
        torch.nn.init.normal_(parameter, 0.05 if parameter.dim() == 1 else 0, 0.3)
    state = {k: v for k, v in model.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k}
    written, meant = store(state, kind, prefix, old)
    missing, unexpected = model.load_state_dict(meant, strict=False)
    assert not unexpected and all("_ids" in k for k in missing), (missing, unexpected)

    folder = out / name
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    save(written, folder / "model.safetensors")
    options["model_type"] = "ernie" if cls is ErnieModel else "bert"
    (folder / "config.json").write_text(json.dumps(options))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    if pooling == "cls":
        (folder / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    else:
        (folder / "1_Pooling").rmdir()

    random = np.random.default_rng(7)
    lines, tokens, pooled = [], [], []
    for n in (1, 2, 5, 17, 40):
        ids = random.integers(0, 64, n)
        types = np.sort(random.integers(0, 2, n))
        tasks = random.integers(0, 3, n) if task else np.zeros(n, int)
        lines.append("|".join(" ".join(map(str, x)) for x in (ids, types, tasks)))
        arguments = dict(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
        if cls is ErnieModel:
            arguments["task_type_ids"] = torch.tensor([tasks])
        with torch.no_grad():
            tokens.append(model(**arguments).last_hidden_state[0])
        pooled.append(pool(tokens[-1], pooling))
    (folder / "ids.txt").write_text("\n".join(lines) + "\n")
    np.concatenate([torch.cat(tokens).numpy().ravel(), torch.stack(pooled).numpy().ravel()]).astype("<f4").tofile(
        folder / "expected.f32")


TEXTS = [
    "人工智能的发展", "深度学习推动AI进步", "今天的晚饭很好吃", "The development of artificial intelligence",
    "How do I keep a copy of my files in case the disk fails?", "怎样把数据库备份到另一台机器上",
    "a", "。", "GitHub备份脚本 重跑gen-itgc后", "Ünïcödé ﬁnally, naïve café — 日本語かな 한국어",
    "颱風來臨之前把陽台的花盆收進屋裡", "12345 67.89% $100 @home #tag", "😀 smile 🎉",
    "绿茶怕烫。水烧开以后放一两分钟，降到八十度左右再冲，否则茶汤发黄，味道苦涩。" * 8,
    "Feed the starter the night before: equal weights of flour and water. " * 12,
    "长文本" * 400,
]


def default():
    folder = models / "ernie-micro-zh-en"
    config = json.loads((folder / "config.json").read_text())
    config.pop("quantization_config")
    weights = load_file(folder / "model.safetensors")
    state = {}
    for name, value in weights.items():
        if not name.endswith("_scale"):
            scale = weights.get(name + "_scale", np.float32(1))
            state[name] = torch.tensor(value.astype(np.float32) * scale)
    model = ErnieModel(ErnieConfig(**config), add_pooling_layer=False).eval()
    model.load_state_dict(state, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    vectors = []
    for text in TEXTS:
        with torch.no_grad():
            tokens = model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=512)).last_hidden_state[0]
        vectors.append(pool(tokens, "mean").numpy())
    (out / "default.txt").write_text("\n".join(TEXTS) + "\n")
    np.stack(vectors).astype("<f4").tofile(out / "default.f32")


for shape in SHAPES:
    small(*shape)
default()
