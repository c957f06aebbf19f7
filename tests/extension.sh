# Sourced by the tests of the extension in the stock sqlite3 shell.
. "${srcdir:-.}/tests/cli.sh"
sqlite=${SQLITE3:-sqlite3}
if ! command -v "$sqlite" >/dev/null; then
	echo "skipped: no sqlite3 shell"
	exit 77
fi
build=$(cd "$builddir" && pwd)
extension=$build/ernie.so
model=$(cd "$srcdir" && pwd)/models/ernie-micro-zh-en
ERNIE_MODEL=$model
export ERNIE_MODEL
cd "$work" || exit 99

# Sanitizers want to be in a program first. Leaks are looked for in a section of their
# own, which can try again: looking sometimes fails by itself while there are threads.
if readelf -d "$extension" | grep -q libasan; then
	preload=$(${CC:-cc} -print-file-name=libasan.so)
	ASAN_OPTIONS=detect_leaks=0
	export ASAN_OPTIONS
else
	preload=
fi

# sql STATEMENT...: what they print, in db with the extension in it.
db=$work/a.db
sql() {
	LD_PRELOAD=$preload "$sqlite" -batch -bail "$db" ".load $extension" "$@" \
		>"$work/out" 2>"$work/err" </dev/null
}

# gives EXPECTED STATEMENT...
gives() {
	expected=$1
	shift
	sql "$@" && [ "$(cat out)" = "$expected" ] && return 0
	echo "expected: $expected"
	return 1
}

# refuses WORDS STATEMENT...: an error with these words.
refuses() {
	words=$1
	shift
	! sql "$@" && grep -qF -- "$words" err
}
