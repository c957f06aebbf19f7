#!/usr/bin/env python3
"""Makes the model of the XLM-R family that check_head reads whole, from a tokenizer.json
alone to logits, and the numbers it compares with, by transformers:

    python3 make_unigram_reference.py OUT

OUT is this folder. Needs torch, transformers, safetensors, sentencepiece and protobuf.
OUT/xlmr-unigram/ is what save_pretrained writes for a cross-encoder of random weights and
an XLMRobertaTokenizer, whose pieces and normalizer SentencePiece learned from the snippets
of ../unigram/make_reference.py. Beside it are texts.txt (a text a line, or two with a tab between
them), tokens.txt (the ids of each, cut to the model's length; their types are 0),
embeddings.f32 (mean pooling, length 1) and logits.f32.
"""
import base64
import pathlib
import sys

import torch
import transformers

out = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(out.parent / "unigram"))
import make_reference as unigram  # noqa: E402

PAIRS = [("深度学习是什么？", "深度学习推动人工智能的发展。"), ("", "the lazy dog"),
         ("The quick brown fox", "jumps over the lazy dog, again and again. " * 4),
         ("你好，世界！" * 12, "世界"), ("<mask> and </s>", "ＡＢＣ　１２３ … ﬁne"), ("안녕하세요", "नमस्ते क्षेत्र")]


def make_tokenizer(lines):
    vocab, _, charsmap = unigram.train_sentencepiece(lines, 400, None, rules=unigram.RULES)
    pieces = [(x, y) for x, y in vocab if x not in ("<s>", "</s>", "<unk>")]
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *pieces, ("<mask>", 0.0)]
    return transformers.XLMRobertaTokenizer(vocab=vocab, model_max_length=48,
                                            _spm_precompiled_charsmap=base64.b64decode(charsmap["precompiled_charsmap"]))


def make_model(vocab_size):
    config = transformers.XLMRobertaConfig(
        vocab_size=vocab_size, hidden_size=24, num_attention_heads=2, num_hidden_layers=2, intermediate_size=32,
        max_position_embeddings=50, type_vocab_size=1, pad_token_id=1, num_labels=1)
    torch.manual_seed(11)
    model = transformers.XLMRobertaForSequenceClassification(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.05 if parameter.dim() == 1 else 0, 0.3)
    return model


def main():
    folder = out / "xlmr-unigram"
    tokenizer = make_tokenizer(unigram.SNIPPETS)
    make_model(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts = [(x,) for x in unigram.SNIPPETS if "\t" not in x and "\0" not in x] + PAIRS
    tokens, embeddings, logits = [], [], []
    for text in texts:
        given = tokenizer(*text, truncation="longest_first", max_length=48, return_tensors="pt")
        ids = given["input_ids"]
        types = given.get("token_type_ids")
        assert types is None or not types.any()
        tokens.append(" ".join(map(str, ids[0].tolist())))
        with torch.no_grad():
            mean = model.roberta(ids).last_hidden_state[0].mean(0)
            embeddings.append(mean / mean.norm())
            logits.append(model(ids).logits[0])
    (folder / "texts.txt").write_text("".join("\t".join(x) + "\n" for x in texts), encoding="utf-8", newline="\n")
    (folder / "tokens.txt").write_text("\n".join(tokens) + "\n")
    torch.stack(embeddings).numpy().astype("<f4").tofile(folder / "embeddings.f32")
    torch.stack(logits).numpy().astype("<f4").tofile(folder / "logits.f32")


main()
