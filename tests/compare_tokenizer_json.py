"""Compares ids and spans with Hugging Face's for tokenizer.json files of Unigram models.

    make tokenize_lines
    python3 compare_tokenizer_json.py ./tokenize_lines TEXT [--lines N] [--seed S]

TEXT is a file of text, in which small models are trained. Each gets one of the normalizers,
pre-tokenizers and post-processors that are read, and added tokens; lines are those of the
text and generated ones. Needs tokenizers. Exits with 1 when a line differs in its ids or,
where nothing is normalised, in its spans. Under a normal form, a letter and the marks behind
it are one unit here: what becomes of them has the span of all of them, where the reference
shares the characters out in the order that they had.
"""

import argparse
import os
import sys
import tempfile

import compare_added_tokens as added
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

NORMALIZERS = {
    "none": None,
    "nfkc": normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
    "t5": normalizers.Sequence([normalizers.Strip(), normalizers.NFKC(), normalizers.Lowercase()]),
    "albert": normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'),
                                    normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
    "nfc": normalizers.NFC(),
}
META = pre_tokenizers.Metaspace
SPLITTING = {
    "metaspace": META(),
    "xlm-r": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), META()]),
    "first": META(prepend_scheme="first"),
    "never": META(prepend_scheme="never", split=False),
}


class Adapter:
    """What reference.tokens_of asks of transformers' tokenizers."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, texts, **_):
        done = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return {"input_ids": [x.ids for x in done], "offset_mapping": [x.offsets for x in done]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("text")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with open(options.text, encoding="utf-8") as file:
        text = [line.rstrip("\n") for _, line in zip(range(5000), file)]
    n_different = 0
    for name, normalizer in NORMALIZERS.items():
        for splitting, pre_tokenizer in SPLITTING.items():
            for normalized in (True, False):
                tokenizer = Tokenizer(models.Unigram())
                tokenizer.pre_tokenizer = pre_tokenizer
                if normalizer is not None:
                    tokenizer.normalizer = normalizer
                tokenizer.train_from_iterator(text[:400], trainers.UnigramTrainer(
                    vocab_size=6000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>",
                    show_progress=False))
                normalize = tokenizer.normalizer.normalize_str if normalizer is not None else str
                tokens = [t for i, flags in enumerate(added.itertools.product((False, True), repeat=3))
                          for t in added.make_tokens(options.seed, flags, normalized, normalize)[i::8]]
                tokens = [t for t in tokens if normalize(str(t))]
                tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
                tokenizer.add_tokens(tokens)
                tokenizer.post_processor = processors.TemplateProcessing(
                    single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
                lines = list(added.make_lines(tokens, options.lines, options.seed))
                lines += [line.encode() for line in text[:options.lines]]
                with tempfile.TemporaryDirectory() as directory:
                    tokenizer.save(os.path.join(directory, "tokenizer.json"))
                    n_different += added.compare(
                        options.program, "%s %s %s" % (name, splitting, "normalized" if normalized else "raw"),
                        Adapter(tokenizer), directory, lines, spans=normalizer is None)
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
