#!/usr/bin/env python3
"""Compares classifiers, cross-encoders and token vectors with transformers and
sentence-transformers, on models of a real size with random weights and texts of yours:

    python3 tests/compare_heads.py ./ernie FILE

FILE has a text a line; neighbouring lines make pairs. Needs torch, transformers,
sentence-transformers. Fails when a logit is off by more than 1e-4 of the largest, a
score by more than 1e-5, a token vector's cosine is below 0.99999, or a model with int8
weights agrees less than that kind does.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from sentence_transformers import CrossEncoder

torch.set_num_threads(1)  # more wait for each other where others work too
ernie, texts = sys.argv[1:3]
root = pathlib.Path(__file__).parent.parent
words = (root / "models/ernie-micro-zh-en/vocab.txt").read_text(encoding="utf-8")
lines = [line for line in pathlib.Path(texts).read_text(encoding="utf-8").splitlines() if "\t" not in line and line]
pairs = list(zip(lines[0::2], lines[1::2]))
failed = False

SHAPE = dict(vocab_size=len(words.splitlines()), hidden_size=312, num_attention_heads=12, num_hidden_layers=4,
             intermediate_size=1248, max_position_embeddings=256, type_vocab_size=2, initializer_range=0.06)
MODELS = {
    "BertForSequenceClassification": dict(num_labels=5),
    "ErnieForSequenceClassification": dict(num_labels=3, use_task_id=True, problem_type="multi_label_classification"),
    "RoFormerForSequenceClassification": dict(num_labels=7, embedding_size=128),
    "RobertaForSequenceClassification": dict(num_labels=2, type_vocab_size=1, pad_token_id=1, max_position_embeddings=258),
    "XLMRobertaForSequenceClassification": dict(num_labels=1, type_vocab_size=1, pad_token_id=1,
                                                max_position_embeddings=258),
}


def run(*arguments):
    return subprocess.run([ernie, *map(str, arguments)], check=True, capture_output=True).stdout


def check(what, good):
    global failed
    failed |= not good
    print(("ok      " if good else "FAILED  ") + what)


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def make(folder, class_name, options):
    torch.manual_seed(1)
    cls = getattr(transformers, class_name)
    model = cls(cls.config_class(**dict(SHAPE, **options))).eval()
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(
        tokenizer_class="BertTokenizer", do_lower_case=True, model_max_length=256)))
    return model, transformers.BertTokenizerFast.from_pretrained(folder)


def forward(model, tokenizer, text, pair=None):
    given = tokenizer(text, pair, truncation="longest_first", max_length=256, return_tensors="pt")
    if model.config.type_vocab_size == 1:
        given["token_type_ids"] *= 0
    with torch.no_grad():
        out = model(**given, output_hidden_states=True)
    return out.logits[0].numpy(), out.hidden_states[-1][0].numpy()


def compare(class_name, options, temporary):
    folder, small = temporary / class_name, temporary / (class_name + "-i8")
    model, tokenizer = make(folder, class_name, options)
    expected = np.array([forward(model, tokenizer, *pair)[0] for pair in pairs])
    (temporary / "pairs").write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")

    def logits(folder):
        answers = run("classify", "-m", folder, "--pairs", "--input", temporary / "pairs", "--format", "jsonl")
        return np.array([list(json.loads(line)["logits"].values()) for line in answers.splitlines()])

    worst = np.abs(logits(folder) - expected).max() / np.abs(expected).max()
    check(f"{class_name}: {len(pairs)} pairs, worst logit off by {worst:.1e} of the largest", worst < 1e-4)

    vectors = [forward(model, tokenizer, line)[1] for line in lines[:50]]
    (temporary / "lines").write_text("\n".join(lines[:50]) + "\n", encoding="utf-8")
    ours = np.frombuffer(run("embed", "-m", folder, "--tokens", "--input", temporary / "lines", "--format", "f32"), "<f4")
    vectors = np.concatenate(vectors)
    same_shape = ours.size == vectors.size
    worst = cosines(ours.reshape(vectors.shape), vectors).min() if same_shape else 0
    check(f"{class_name}: {len(vectors)} token vectors, worst cosine {worst:.8f}", worst >= 0.99999)

    run("model", "quantize", folder, small)
    off = np.abs(logits(small) - expected).mean() / np.abs(expected).max()
    check(f"{class_name}: int8, logits off by {off:.3f} of the largest on average", off < 0.05)


def rerank(temporary, activation):
    folder = temporary / f"cross-{activation}"
    make(folder, "BertForSequenceClassification", dict(num_labels=1))
    peer = CrossEncoder(str(folder), max_length=256,
                        activation_fn=getattr(torch.nn, activation)() if activation else None)
    if activation:
        peer.save_pretrained(str(folder))
        (folder / "vocab.txt").write_text(words, encoding="utf-8")
    query, passages = lines[0], lines[1:101]
    (temporary / "passages").write_text("\n".join(passages) + "\n", encoding="utf-8")
    scores = {row["line"]: row["score"] for row in
              json.loads(run("rerank", "-m", folder, query, temporary / "passages", "--format", "json"))}
    expected = peer.predict([(query, passage) for passage in passages])
    worst = max(abs(scores[i + 1] - score) for i, score in enumerate(expected))
    check(f"CrossEncoder, {activation or 'nothing said'}: {len(passages)} passages, worst score off by {worst:.1e}",
          worst < 1e-5)


with tempfile.TemporaryDirectory() as name:
    for class_name, options in MODELS.items():
        compare(class_name, options, pathlib.Path(name))
    for activation in (None, "Sigmoid", "Identity"):
        rerank(pathlib.Path(name), activation)
sys.exit(int(failed))
