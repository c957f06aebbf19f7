#!/bin/sh
# The Python package, by pytest, over the library, extension and program of this build.
python=
for candidate in "${PYTHON:-python3}" /usr/bin/python3; do
	if "$candidate" -c 'import pytest' 2>/dev/null; then
		python=$candidate
		break
	fi
done
if [ -z "$python" ]; then
	echo 'skipped: no pytest (pip install pytest)'
	exit 77
fi
build=$(cd "${builddir:-.}" && pwd)
if readelf -d "$build/.libs/libernie.so" | grep -q libasan; then
	echo 'skipped: Python does not take a library with sanitizers'
	exit 77
fi
export ERNIE_LIBRARY="$build/.libs/libernie.so" ERNIE_EXTENSION="$build/.libs/ernie.so"
export ERNIE_PROGRAM="$build/ernie" PYTHONDONTWRITEBYTECODE=1
cd "${srcdir:-.}/python" || exit 99
"$python" -m pytest -q -p no:cacheprovider tests
status=$?
# What ./setup counts.
[ $status = 0 ] && echo '1 passed, 0 failed' || echo '0 passed, 1 failed'
exit $status
