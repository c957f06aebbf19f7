# Sourced by the shell tests: a folder of their own, and checks that count.
set -u
: "${srcdir:=.}" "${builddir:=.}"
ernie=$(cd "$builddir" && pwd)/ernie
documents=$(cd "$srcdir" && pwd)/examples/documents
data=$(cd "$srcdir" && pwd)/tests/data/encoder
models=$(cd "$srcdir" && pwd)/models
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export XDG_DATA_HOME="$work/data" XDG_STATE_HOME="$work/state"
unset ERNIE_DB ERNIE_MODEL ERNIE_THREADS 2>/dev/null || true
n_passed=0 n_failed=0

# check NAME COMMAND...: the command must succeed.
check() {
	name=$1
	shift
	if "$@"; then
		n_passed=$((n_passed + 1))
	else
		n_failed=$((n_failed + 1))
		echo "FAILED: $name"
		head -n 20 "$work/out" "$work/err" 2>/dev/null
	fi
}

# run STATUS COMMAND...: runs it, output in $work/out and $work/err, and tells
# whether it exited so.
run() {
	expected=$1
	shift
	"$@" >"$work/out" 2>"$work/err" </dev/null
	[ $? = "$expected" ]
}

# One line on standard error, holding these words, and nothing on standard output.
one_line_error() {
	[ ! -s "$work/out" ] && [ "$(wc -l <"$work/err")" = 1 ] && grep -qF -- "$1" "$work/err"
}

finish() {
	echo "$n_passed passed, $n_failed failed"
	[ "$n_failed" = 0 ] && [ "$n_passed" -gt 0 ]
	exit
}
