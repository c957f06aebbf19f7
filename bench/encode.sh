#!/bin/sh
# Our encoder beside others on the same model and the same texts, in one run:
#
#     MODEL=DIR [NAME=VALUE...] bench/encode.sh
#
# MODEL       a directory with model.safetensors in float32
# MODEL_I8    the same model with our int8 weights
# ONNX        the same as ONNX, float32; ONNX_I8: int8
# TOKENIZER   its tokenizer.json, for the peers in Python
# GGUF        the same as GGUF (make_gguf.py), float32; GGUF_I8: Q8_0
# OPENVINO    1: OpenVINO too, which reads ONNX, in float32 and in bfloat16
# TORCH       1: PyTorch too, which reads MODEL, in float32 and in bfloat16
# PASSAGES    a text a line, all of 128 tokens (make_texts.py makes both of these)
# MIXED       a text a line, of 8 to 480 tokens
# THREADS     1                ROUNDS      5
# ERNIE       ./ernie          PYTHON      python3          NODE        node
# NODE_LLAMA_CPP               the folder of the npm package node-llama-cpp
#
# What is not given is left out, and a line says so. All take turns in every round, each
# in a process of its own that warms up first; a figure is the median of the rounds, and
# a ratio above 1 means that ours is faster. Our times include reading the text into
# tokens and pooling, theirs do not.
set -eu
: "${MODEL:?a model directory}" "${THREADS:=1}" "${ROUNDS:=5}"
: "${ERNIE:=./ernie}" "${PYTHON:=python3}" "${NODE:=node}"
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# field NAME: of the one JSON object on standard input.
field() {
	sed 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/'
}

# The query is the one that ours uses.
echo . >"$work/none"
"$ERNIE" bench encode --json --model "$MODEL" --input "$work/none" | field query >"$work/query"

# ernie_speed MODEL WORKLOAD FILE: version, tab, figure, as the peers print them.
ernie_speed() {
	"$ERNIE" bench encode --json --model "$1" --input "$3" --threads "$THREADS" >"$work/json"
	[ "$2" = query ] && name=query_p50_ms || name=tokens_per_s
	printf '%s\t%s\n' "$(field version <"$work/json")" "$(field $name <"$work/json")"
}

peer() {
	"$PYTHON" "$here/encode_peer.py" "$1" "$2" "$TOKENIZER" "$3" "$4" "$THREADS"
}

llama() {
	"$NODE" "$here/encode_llama.mjs" "$1" "$2" "$3" "$THREADS"
}

# speed WHO WORKLOAD FILE
speed() {
	case $1 in
	ernie) ernie_speed "$MODEL" "$2" "$3" ;;
	ernie-int8) ernie_speed "$MODEL_I8" "$2" "$3" ;;
	onnxruntime) peer onnxruntime "$ONNX" "$2" "$3" ;;
	onnxruntime-int8) peer onnxruntime "$ONNX_I8" "$2" "$3" ;;
	openvino | openvino-bf16) peer "$1" "$ONNX" "$2" "$3" ;;
	torch | torch-bf16) peer "$1" "$MODEL" "$2" "$3" ;;
	llama.cpp) llama "$GGUF" "$2" "$3" ;;
	llama.cpp-q8_0) llama "$GGUF_I8" "$2" "$3" ;;
	esac
}

# Who takes part: those for whom all is given.
who=ernie
# add WHO VALUE NAMES: takes WHO in when VALUE is not empty.
add() {
	if [ -n "$2" ]; then
		who="$who $1"
	else
		echo "$1: left out (it needs $3)"
	fi
}
both() {
	[ -n "$1" ] && printf %s "$2"
	:
}
add ernie-int8 "${MODEL_I8:-}" MODEL_I8
add onnxruntime "$(both "${TOKENIZER:-}" "${ONNX:-}")" 'ONNX, TOKENIZER'
add onnxruntime-int8 "$(both "${TOKENIZER:-}" "${ONNX_I8:-}")" 'ONNX_I8, TOKENIZER'
add openvino "$(both "${TOKENIZER:-}" "${ONNX:+${OPENVINO:-}}")" 'OPENVINO, ONNX, TOKENIZER'
add openvino-bf16 "$(both "${TOKENIZER:-}" "${ONNX:+${OPENVINO:-}}")" 'OPENVINO, ONNX, TOKENIZER'
add torch "$(both "${TOKENIZER:-}" "${TORCH:-}")" 'TORCH, TOKENIZER'
add torch-bf16 "$(both "${TOKENIZER:-}" "${TORCH:-}")" 'TORCH, TOKENIZER'
add llama.cpp "${GGUF:-}" GGUF
add llama.cpp-q8_0 "${GGUF_I8:-}" GGUF_I8

median() {
	cut -f 2 "$1" | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

# ratio A B WORKLOAD: how much faster A is than B.
ratio() {
	awk -v a="$1" -v b="$2" -v w="$3" \
		'BEGIN { if (a == "") print "-"; else printf "%.2f\n", w == "query" ? b / a : a / b }'
}

# compare WORKLOAD FILE TITLE: the rounds, then a table.
compare() {
	rm -f "$work"/of.*
	for round in $(seq "$ROUNDS"); do
		for one in $who; do
			speed "$one" "$1" "$2" >>"$work/of.$one"
		done
	done
	printf '\n%s, %s\n' "$3" "$([ "$THREADS" = 1 ] && echo '1 thread' || echo "$THREADS threads")"
	printf '%-18s %-14s %10s  %s\n' '' version "$([ "$1" = query ] && echo 'p50 ms' || echo tokens/s)" \
		'ernie is faster by   ernie-int8 by'
	int8=
	[ ! -f "$work/of.ernie-int8" ] || int8=$(median "$work/of.ernie-int8")
	for one in $who; do
		value=$(median "$work/of.$one")
		printf '%-18s %-14s %10.*f  %18s   %13s\n' "$one" "$(head -n 1 "$work/of.$one" | cut -f 1)" \
			"$([ "$1" = query ] && echo 2 || echo 0)" "$value" \
			"$(ratio "$(median "$work/of.ernie")" "$value" "$1")" "$(ratio "$int8" "$value" "$1")"
	done
}

if [ -n "${PASSAGES:-}" ]; then
	compare texts "$PASSAGES" 'Passages of 128 tokens'
else
	echo 'passages: left out (PASSAGES)'
fi
if [ -n "${MIXED:-}" ]; then
	compare texts "$MIXED" 'Mixed lengths, 8 to 480 tokens'
else
	echo 'mixed lengths: left out (MIXED)'
fi
compare query "$work/query" 'One query of 12 tokens'
