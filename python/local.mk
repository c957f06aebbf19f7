# The Python package is used as it lies here, or installed by pip; nothing is built.
EXTRA_DIST += \
	python/README.md \
	python/pyproject.toml \
	python/ernie/__init__.py \
	python/ernie/_database.py \
	python/ernie/_library.py \
	python/ernie/_model.py \
	python/ernie/_sqlite.py \
	python/ernie/py.typed \
	python/tests/conftest.py \
	python/tests/test_database.py \
	python/tests/test_layout.py \
	python/tests/test_model.py \
	python/tests/test_sqlite.py

check_SCRIPTS += tests/check_python.sh
EXTRA_DIST += tests/check_python.sh
tests/check_python.log: ernie$(EXEEXT) ernie.so libernie.la
