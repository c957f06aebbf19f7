#!/usr/bin/env python3
"""Compares `ernie embed` with transformers on a model directory and texts of yours:

    python3 tests/compare_encoder.py ./ernie MODEL FILE

FILE has a text a line. Prints the worst cosine and fails below 0.99999. Needs torch,
transformers, safetensors. With "random" for MODEL, one of ERNIE 3.0 nano's shape
(4 layers, hidden 312, 12 heads) is made with random weights first.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertModel, ErnieConfig, ErnieModel

ernie, folder, texts = sys.argv[1:4]
classes = {"bert": (BertModel, BertConfig), "ernie": (ErnieModel, ErnieConfig)}


def make_random(folder):
    vocabulary = pathlib.Path(__file__).parent.parent / "models/ernie-micro-zh-en/vocab.txt"
    words = vocabulary.read_text(encoding="utf-8")
    options = dict(vocab_size=len(words.splitlines()), hidden_size=312, num_attention_heads=12, num_hidden_layers=4,
                   intermediate_size=1248, max_position_embeddings=512, type_vocab_size=4, use_task_id=True,
                   task_type_vocab_size=3, initializer_range=0.08)
    torch.manual_seed(1)
    model = ErnieModel(ErnieConfig(**options), add_pooling_layer=False)
    state = {"ernie." + k: v for k, v in model.state_dict().items() if "_ids" not in k}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dict(options, model_type="ernie")))
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="BertTokenizer", do_lower_case=True, model_max_length=512)))


temporary = tempfile.TemporaryDirectory()
if folder == "random":
    folder = pathlib.Path(temporary.name)
    make_random(folder)
folder = pathlib.Path(folder)
config = json.loads((folder / "config.json").read_text())
config.pop("quantization_config", None)
model_class, config_class = classes[config["model_type"]]
weights = load_file(folder / "model.safetensors")
state = {}
for name, value in weights.items():
    if not name.endswith("_scale"):
        state[name.removeprefix("bert.").removeprefix("ernie.")] = value.float() * weights.get(name + "_scale", 1)
model = model_class(config_class(**config), add_pooling_layer=False).eval()
unexpected = model.load_state_dict(state, strict=False).unexpected_keys
assert all("pooler" in key for key in unexpected), unexpected
pooling = folder / "1_Pooling/config.json"
cls = pooling.exists() and json.loads(pooling.read_text()).get("pooling_mode_cls_token")
tokenizer = AutoTokenizer.from_pretrained(folder)

lines = pathlib.Path(texts).read_text(encoding="utf-8").splitlines()
ours = np.frombuffer(subprocess.run([ernie, "embed", "--model", folder, "--input", texts, "--format", "f32"],
                                    check=True, capture_output=True).stdout, "<f4").reshape(len(lines), -1)
worst = 1.0
for line, vector in zip(lines, ours):
    given = tokenizer(line, return_tensors="pt", truncation=True, max_length=512)
    with torch.no_grad():
        tokens = model(**given).last_hidden_state[0]
    expected = (tokens[0] if cls else tokens.mean(0)).numpy().astype(np.float64)
    cosine = expected @ vector / np.linalg.norm(expected) / np.linalg.norm(vector)
    if cosine < worst:
        worst = cosine
        print(f"{cosine:.8f}  {line[:60]}")
print(f"{len(lines)} texts, worst cosine {worst:.8f}")
sys.exit(int(worst < 0.99999))
