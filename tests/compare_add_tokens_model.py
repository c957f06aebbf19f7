"""Compares `ernie model add-tokens` with transformers: the new directory opens there, gives
the same ids and, for a model that is not int8, the same embeddings.

    python3 compare_add_tokens_model.py ./ernie MODEL_DIRECTORY

Needs transformers and torch. Exits with 1 when something differs.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

TOKENS = ["深度检索", "GraphRAG", "<doc>", "naïveté", "[MASK]", "Zwölf Uhr"]
TEXTS = ["深度检索和GraphRAG是什么？", "<doc>Hello graphrag</doc>", "naivete at zwolf uhr", "普通的一句话。", "[MASK] a"]


def run(program, *words):
    return subprocess.run([program, *words], stdout=subprocess.PIPE, check=True).stdout.decode()


def main():
    program, model = sys.argv[1:]
    is_int8 = json.loads(run(program, "model", "show", "--format", "json", model))["precision"] != "float"
    n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "grown")
        print(run(program, "model", "add-tokens", model, out, *TOKENS), end="")
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(out)
        old = AutoTokenizer.from_pretrained(model)
        old.add_tokens(TOKENS)
        network = None if is_int8 else AutoModel.from_pretrained(out)
        for text in TEXTS:
            ours = json.loads(run(program, "tokenize", "--json", "--model", out, text))["input_ids"]
            theirs, added = tokenizer(text)["input_ids"], old(text)["input_ids"]
            line = "%s: %s" % (text, "same ids" if ours == theirs == added else "%s %s %s" % (ours, theirs, added))
            n_wrong += not ours == theirs == added
            if network is not None:
                import torch

                with torch.no_grad():
                    hidden = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
                info = json.loads(run(program, "model", "show", "--format", "json", out))
                wanted = (hidden[0] if info["pooling"] == "cls" else hidden.mean(0)).numpy()
                got = np.array(json.loads(run(program, "embed", "--model", out, text)), dtype=np.float32).ravel()
                cosine = float(wanted @ got / np.linalg.norm(wanted) / np.linalg.norm(got))
                n_wrong += cosine < 0.99999
                line += ", cosine %.7f" % cosine
            print(line)
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
