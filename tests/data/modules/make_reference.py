#!/usr/bin/env python3
"""Makes what check_modules compares with, by sentence-transformers.

    python3 make_reference.py ENCODER OUT

ENCODER is tests/data/encoder, OUT this folder. OUT/NAME/ holds what a directory of
sentence-transformers has besides its transformer, which is ENCODER/bert-f32 in every
case, and expected.f32: the embeddings, scaled to length 1, of OUT/texts.txt as it is,
then with the prompt "query", then with the prompt "passage" (little-endian float32).
Needs torch, transformers and sentence-transformers.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer

encoder, out = map(pathlib.Path, sys.argv[1:3])
HIDDEN = 32
# The vocabulary is 59 characters from U+4E00 on. The last text is longer than 40 tokens.
TEXTS = ["一丁丂", "七丄丅丆万丈", "三", "上下丌不与丏丐" * 8]
PROMPTS = {"query": "丑丒专：", "passage": "且丕"}


def dense(n_in, n_out, activation, bias=True):
    layer = Dense(n_in, n_out, bias=bias, activation_function=activation)
    torch.nn.init.normal_(layer.linear.weight, 0, 0.4)
    if bias:
        torch.nn.init.normal_(layer.linear.bias, 0, 0.4)
    return layer


torch.manual_seed(4)
CASES = {
    "all-dense": (("cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"), True,
                  [Normalize(), dense(5 * HIDDEN, 12, torch.nn.GELU()), dense(12, 10, torch.nn.Sigmoid(), False)]),
    "prompt-left-out": ("mean", False, [dense(HIDDEN, 14, torch.nn.ReLU()), dense(14, 8, torch.nn.Identity()),
                                        dense(8, 40, torch.nn.Tanh()), Normalize()]),
    "max-left-out": (("max", "lasttoken"), False, []),
}

(out / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
for name, (pooling, include_prompt, modules) in CASES.items():
    with tempfile.TemporaryDirectory() as temporary:
        transformer = pathlib.Path(temporary) / "transformer"
        shutil.copytree(encoder / "bert-f32", transformer)
        (transformer / "tokenizer_config.json").write_text(
            json.dumps(dict(tokenizer_class="BertTokenizer", do_lower_case=True, model_max_length=40)))
        chain = [Transformer(str(transformer)), Pooling(HIDDEN, pooling_mode=pooling, include_prompt=include_prompt), *modules]
        model = SentenceTransformer(modules=chain, prompts=dict(PROMPTS), device="cpu")
        saved = pathlib.Path(temporary) / "saved"
        model.save(str(saved))
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for path in ["modules.json", "config_sentence_transformers.json", *(p.name for p in saved.glob("[1-9]_*"))]:
            if (saved / path).is_dir():
                if any((saved / path).iterdir()):
                    shutil.copytree(saved / path, folder / path)
            else:
                shutil.copy(saved / path, folder / path)
        vectors = [model.encode([t], prompt_name=p, normalize_embeddings=True)[0]
                   for p in (None, "query", "passage") for t in TEXTS]
        np.stack(vectors).astype("<f4").tofile(folder / "expected.f32")
