#!/bin/sh
# Our encoder beside onnxruntime on the same model, the same texts, in one run:
#
#   bench/encode.sh MODEL MODEL.onnx TOKENIZER.json FILE [THREADS] [ROUNDS]
#
# MODEL: a directory with model.safetensors; the other two: the same model as ONNX.
# FILE: a text a line. PYTHON: one that has onnxruntime and tokenizers (python3).
# ERNIE: the program (./ernie). The two take turns; the ratio is that of the medians.
set -eu
model=$1 onnx=$2 tokenizer=$3 texts=$4 threads=${5:-2} rounds=${6:-5}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for round in $(seq "$rounds"); do
	"${ERNIE:-./ernie}" bench encode --json --model "$model" --input "$texts" --threads "$threads" |
		sed 's/.*"texts":\([0-9]*\),"tokens":\([0-9]*\),"tokens_per_s":\([0-9]*\).*/ernie: \3 tokens\/s (\1 texts, \2 tokens)/' |
		tee -a "$work/ours"
	"${PYTHON:-python3}" "$here/encode_onnxruntime.py" "$onnx" "$tokenizer" "$texts" "$threads" 3 |
		tee -a "$work/theirs"
done
median() {
	sed 's/.*: \([0-9]*\) tokens.*/\1/' "$1" | sort -n |
		awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}
ours=$(median "$work/ours") theirs=$(median "$work/theirs")
awk -v a="$ours" -v b="$theirs" -v t="$threads" \
	'BEGIN { printf "%d threads: ours / onnxruntime = %d / %d = %.2f\n", t, a, b, a / b }'
