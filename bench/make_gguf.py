#!/usr/bin/env python3
"""A BERT model in Hugging Face's layout as GGUF, which llama.cpp reads:

    make_gguf.py DIRECTORY OUT.gguf [F32|F16|Q8_0]

Only for the comparison in encode.sh: BERT with WordPiece, pooling of the first token.
Names and fields are those of GGUF's specification; biases, norms and embeddings of
positions and types stay F32. Needs gguf, numpy and safetensors.
"""
import json
import sys

import gguf
import numpy as np
from safetensors.numpy import load_file

NAMES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def gguf_name(name):
    """None for what the encoder has no use for, such as BERT's pooler."""
    name, part = name.removeprefix("bert.").rsplit(".", 1)
    block = ""
    if name.startswith("encoder.layer."):
        number, name = name.removeprefix("encoder.layer.").split(".", 1)
        block = f"blk.{number}."
    return f"{block}{NAMES[name]}.{part}" if name in NAMES else None


def gguf_word(word):
    """Words begin with U+2581 and what goes on with one does not."""
    if word.startswith("[") and word.endswith("]"):
        return word, gguf.TokenType.CONTROL
    return word.removeprefix("##") if word.startswith("##") else "\u2581" + word, gguf.TokenType.NORMAL


def main():
    directory, out = sys.argv[1:3]
    kind = gguf.GGMLQuantizationType[sys.argv[3] if len(sys.argv) > 3 else "F32"]
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    with open(f"{directory}/vocab.txt", encoding="utf-8") as file:
        words = file.read().removesuffix("\n").split("\n")
    writer = gguf.GGUFWriter(out, "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(config["type_vocab_size"])
    pairs = [gguf_word(word) for word in words]
    writer.add_token_list([word for word, _ in pairs])
    writer.add_token_types([int(type_) for _, type_ in pairs])
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_eos_token_id(words.index("[SEP]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_mask_token_id(words.index("[MASK]"))
    for name, values in load_file(f"{directory}/model.safetensors").items():
        to = gguf_name(name) if "position_ids" not in name else None
        if to is None:
            continue
        values = np.ascontiguousarray(values, np.float32)
        is_plain = values.ndim == 1 or to.startswith(("token_types", "position_embd"))
        type_ = gguf.GGMLQuantizationType.F32 if is_plain else kind
        writer.add_tensor(to, gguf.quants.quantize(values, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
