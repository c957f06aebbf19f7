#!/usr/bin/env python3
"""Compares `ernie embed` with sentence-transformers on directories that say more than
their transformer does: every pooling and concatenations, dense layers with every
activation, prompts that pooling counts and leaves out, and cut embeddings.

    python3 tests/compare_modules.py ./ernie [FILE]

FILE has a text a line; some texts of its own are used without. The models are small and
random. Prints each case with its worst cosine and fails below 0.99999. Needs torch,
transformers and sentence-transformers.
"""
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
from transformers import BertConfig, BertModel, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
ernie = sys.argv[1]
TEXTS = ["人工智能的发展", "The development of artificial intelligence", "a", "。", "naïve café — 12345 67.89%",
         "绿茶怕烫。水烧开以后放一两分钟，降到八十度左右再冲" * 9, "Feed the starter the night before. " * 30, "ity of words"]
if len(sys.argv) > 2:
    TEXTS = [t for t in pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").splitlines() if t.strip()]
HIDDEN = 48
PROMPTS = {"query": "Represent this question: ", "passage": "为这个句子生成表示：", "joined": "un"}
temporary = tempfile.TemporaryDirectory()
root = pathlib.Path(temporary.name)


def make_transformer():
    """One transformer for all cases: 64 positions, so that long texts are cut."""
    vocabulary = (pathlib.Path(__file__).parent.parent / "models/ernie-micro-zh-en/vocab.txt").read_text(encoding="utf-8")
    torch.manual_seed(1)
    model = BertModel(BertConfig(vocab_size=len(vocabulary.splitlines()), hidden_size=HIDDEN, num_attention_heads=4,
                                 num_hidden_layers=2, intermediate_size=96, max_position_embeddings=64), add_pooling_layer=False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.05 if parameter.dim() == 1 else 0, 0.2)
    folder = root / "transformer"
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(tokenizer_class="BertTokenizer", do_lower_case=True,
                                                                  model_max_length=64)))
    return folder


def dense(n_in, n_out, activation, bias=True):
    layer = Dense(n_in, n_out, bias=bias, activation_function=activation)
    torch.nn.init.normal_(layer.linear.weight, 0, 0.4)
    if bias:
        torch.nn.init.normal_(layer.linear.bias, 0, 0.4)
    return layer


def legacy(folder):
    """Rewrites the pooling's file as versions before 5 wrote it."""
    path = folder / "1_Pooling/config.json"
    config = json.loads(path.read_text())
    modes = config.pop("pooling_mode")
    modes = [modes] if isinstance(modes, str) else modes
    flags = dict(cls="cls_token", max="max_tokens", mean="mean_tokens", mean_sqrt_len_tokens="mean_sqrt_len_tokens",
                 weightedmean="weightedmean_tokens", lasttoken="lasttoken")
    path.write_text(json.dumps(dict(config, **{"pooling_mode_" + f: m in modes for m, f in flags.items()})))


transformer = make_transformer()
n = 0
worst = 1.0


def compare(what, pooling, modules=(), include_prompt=True, prompt=None, dim=None, old=False):
    global n, worst
    torch.manual_seed(n)
    folder = root / f"case{n}"
    n += 1
    chain = [Transformer(str(transformer)), Pooling(HIDDEN, pooling_mode=pooling, include_prompt=include_prompt), *modules]
    model = SentenceTransformer(modules=chain, prompts=dict(PROMPTS), device="cpu")
    model.save(str(folder))
    # The directory as published ones are: the vocabulary as vocab.txt.
    (folder / "vocab.txt").write_bytes((transformer / "vocab.txt").read_bytes())
    if old:
        legacy(folder)
    model = SentenceTransformer(str(folder), device="cpu", truncate_dim=dim)
    expected = np.stack([model.encode(t, prompt_name=prompt) for t in TEXTS])
    (root / "texts").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    command = [ernie, "embed", "--model", str(folder), "--input", str(root / "texts"), "--format", "f32"]
    command += ["--prompt", prompt] if prompt else []
    command += ["--dim", str(dim)] if dim else []
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{what}: {done.stderr.decode()}")
    ours = np.frombuffer(done.stdout, "<f4").reshape(len(TEXTS), -1)
    assert ours.shape == expected.shape, (what, ours.shape, expected.shape)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(expected.astype(np.float64), axis=1)
    cosine = float(((ours * expected).sum(1) / norms).min())
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5), what
    print(f"{cosine:.8f}  {what}")
    worst = min(worst, cosine)


modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"]
for mode in modes:
    compare(mode, mode)
    compare(mode + ", old file", mode, old=True)
for pair in itertools.combinations(modes, 2):
    compare(" + ".join(pair), pair)
compare("all at once", tuple(modes))
compare("all at once, backwards", tuple(reversed(modes)))
compare("all at once, old file", tuple(modes), old=True)
for activation in (torch.nn.Tanh(), torch.nn.Identity(), torch.nn.ReLU(), torch.nn.GELU(), torch.nn.Sigmoid(), None):
    name = type(activation).__name__ if activation else "none"
    compare(f"mean, dense 80 {name}", "mean", [dense(HIDDEN, 80, activation)])
    compare(f"mean, dense 20 {name} without bias, normalize", "mean", [dense(HIDDEN, 20, activation, False), Normalize()])
compare("cls + max, normalize, dense, dense", ("cls", "max"),
        [Normalize(), dense(2 * HIDDEN, 64, torch.nn.Tanh()), Normalize(), dense(64, 130, torch.nn.GELU())])
for prompt in PROMPTS:
    compare(f"mean, prompt {prompt}", "mean", prompt=prompt)
    for mode in modes:
        compare(f"{mode}, prompt {prompt} left out", mode, prompt=prompt, include_prompt=False)
for dim in (1, 7, 32, HIDDEN):
    compare(f"mean, first {dim}", "mean", dim=dim)
compare("mean, normalize, first 10", "mean", [Normalize()], dim=10)
compare("mean, dense, prompt left out, first 10", "mean", [dense(HIDDEN, 30, torch.nn.Tanh())], dim=10, prompt="query",
        include_prompt=False)
print(f"{n} models, {len(TEXTS)} texts each, worst cosine {worst:.8f}")
sys.exit(int(not worst >= 0.99999))
