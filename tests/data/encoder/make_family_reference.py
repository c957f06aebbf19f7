#!/usr/bin/env python3
"""Makes the models and numbers that check_encoder and check_head compare with, by
transformers, for encoders other than plain ones and for the heads of classifiers:

    python3 make_family_reference.py OUT [ernie_m-cls]

OUT is this folder. Needs torch, transformers, safetensors; for ernie_m-cls, and only
for that, transformers 4 (4.57.1), since version 5 has no ERNIE-M any more. Each
OUT/NAME/ is a model directory with random weights and, beside ids.txt and expected.f32 as make_reference.py has them, for
classifiers logits.f32 (those of each line of ids.txt, then those of each line of
texts.txt), and texts.txt: a text a line, or two with a tab between them, as
transformers' BertTokenizerFast reads them.

bert-rotary is RoFormer's model under BERT's names: transformers' BERT knows no rotary
positions, and RoFormer's layers are BERT's but for those.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

out = pathlib.Path(sys.argv[1])
wanted = sys.argv[2:]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(0x4E00 + i) for i in range(59)]
SHAPE = dict(vocab_size=64, hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=48,
             max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12)

# name, class, options, token types, task types, id of [PAD] in the sequences or None
MODELS = [
    ("bert-rotary", "RoFormerModel", dict(model_type="bert", position_embedding_type="rotary"), 2, 1, None),
    ("roformer-cls", "RoFormerForSequenceClassification",
     dict(model_type="roformer", embedding_size=20, rotary_value=True,
          id2label={"0": "体育", "1": "财经", "2": "tech \"news\""}), 2, 1, None),
    ("xlmr-rerank", "XLMRobertaForSequenceClassification",
     dict(model_type="xlm-roberta", type_vocab_size=1, pad_token_id=1, max_position_embeddings=42,
          layer_norm_eps=1e-5, id2label={"0": "LABEL_0"}), 1, 1, 1),
    ("ernie-multi", "ErnieForSequenceClassification",
     dict(model_type="ernie", use_task_id=True, task_type_vocab_size=3, problem_type="multi_label_classification",
          id2label={str(i): f"topic {i}" for i in range(4)}), 2, 3, None),
    ("bert-cls", "BertForSequenceClassification", dict(model_type="bert"), 2, 1, None),
    ("bert-rerank", "BertForSequenceClassification",
     dict(model_type="bert", id2label={"0": "LABEL_0"},
          sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity", "version": "5.0.0"}), 2, 1, None),
    ("ernie_m-cls", "ErnieMForSequenceClassification",
     dict(model_type="ernie_m", layer_norm_eps=1e-5, pad_token_id=1, max_position_embeddings=42), 1, 1, None),
]


def new_model(class_name, options):
    if class_name.startswith("ErnieM"):
        from transformers.models.deprecated.ernie_m import configuration_ernie_m, modeling_ernie_m
        config, cls = configuration_ernie_m.ErnieMConfig, getattr(modeling_ernie_m, class_name)
    else:
        cls = getattr(transformers, class_name)
        config = cls.config_class
    known = {k: v for k, v in options.items() if k not in ("model_type", "position_embedding_type")}
    if "id2label" in known:
        known["id2label"] = {int(k): v for k, v in known["id2label"].items()}
    model = cls(config(**known)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.05 if parameter.dim() == 1 else 0, 0.3)
    if "embed_positions" in "".join(model.state_dict()):  # the sines are no parameters
        table = [p for n, p in model.named_parameters() if "embed_positions" in n][0]
        with torch.no_grad():
            table.copy_(type(table)(make_sines(*table.shape)))
    return model


def make_sines(n, dim):
    angles = np.arange(n)[:, None] / np.power(10000, 2 * np.arange(dim // 2) / dim)
    return torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], 1), dtype=torch.float32)


def forward(model, ids, types, tasks):
    arguments = dict(input_ids=torch.tensor(np.array([ids])))
    name = type(model).__name__
    if not name.startswith("ErnieM"):
        arguments["token_type_ids"] = torch.tensor(np.array([types]))
    if name.startswith("Ernie") and not name.startswith("ErnieM"):
        arguments["task_type_ids"] = torch.tensor(np.array([tasks]))
    with torch.no_grad():
        if name.endswith("Model"):
            return model(**arguments).last_hidden_state[0], None
        base = getattr(model, model.base_model_prefix)
        return base(**arguments).last_hidden_state[0], model(**arguments).logits[0]


def make(name, class_name, options, n_types, n_tasks, pad):
    torch.manual_seed(sum(map(ord, name)))
    options = dict(SHAPE, **options)
    model = new_model(class_name, options)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.contiguous() for k, v in model.state_dict().items()
             if "position_ids" not in k and "token_type_ids" not in k}
    if name == "bert-rotary":
        state = {"bert." + k: v for k, v in state.items() if "embed_positions" not in k}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    if not class_name.endswith("Model"):
        options["architectures"] = [class_name]
    (folder / "config.json").write_text(json.dumps(options))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")

    random = np.random.default_rng(7)
    lines, tokens, pooled, logits = [], [], [], []
    for n in (1, 2, 5, 17, 40):
        ids = random.integers(2, 64, n)
        if pad is not None and n > 5:
            ids[[3, 4, 9]] = pad
        types = np.sort(random.integers(0, n_types, n))
        tasks = random.integers(0, n_tasks, n)
        lines.append("|".join(" ".join(map(str, x)) for x in (ids, types, tasks)))
        vectors, scores = forward(model, ids, types, tasks)
        tokens.append(vectors)
        pooled.append(vectors.mean(0) / vectors.mean(0).norm())
        logits.append(scores)
    (folder / "ids.txt").write_text("\n".join(lines) + "\n")
    np.concatenate([torch.cat(tokens).numpy().ravel(), torch.stack(pooled).numpy().ravel()]).astype("<f4").tofile(
        folder / "expected.f32")
    if logits[0] is None:
        return
    torch.stack(logits).numpy().astype("<f4").tofile(folder / "logits.f32")
    if name == "ernie_m-cls":  # whose pairs have two [SEP] between them
        return

    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
    texts = []
    for n, m in ((3, 0), (0, 0), (60, 0), (2, 4), (0, 5), (30, 30), (50, 5), (5, 50), (18, 20), (19, 18)):
        text = random.integers(5, 64, n)
        pair = random.integers(5, 64, m) if m else None
        texts.append("\t".join("".join(VOCABULARY[i] for i in x) for x in (text, pair) if x is not None))
        given = tokenizer(*texts[-1].split("\t"), truncation="longest_first", max_length=40)
        ids, types = given["input_ids"], given["token_type_ids"]
        if n_types == 1:
            types = [0] * len(ids)
        logits.append(forward(model, ids, types, [0] * len(ids))[1])
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    torch.stack(logits).numpy().astype("<f4").tofile(folder / "logits.f32")


for entry in MODELS:
    if entry[0] in wanted or (not wanted and entry[0] != "ernie_m-cls"):
        make(*entry)
