import json
import math
import os
import pickle
import subprocess
import sys
import threading

import ernie
import pytest


def dot(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b))


def test_one_text_gives_one_vector_of_length_1(model):
    vector = model.encode("人工智能")
    assert len(vector) == model.dim == 384
    assert math.isclose(dot(vector, vector), 1, abs_tol=1e-5)


def test_several_texts_give_rows_in_their_order(model):
    texts = [f"text number {i}" for i in range(1100)]  # more than one call of the library
    rows = model.encode(texts)
    assert len(rows) == 1100
    for i in (0, 511, 512, 1099):
        assert dot(rows[i], model.encode(texts[i])) > 0.9999
    assert len(model.encode([])) == 0


def test_vectors_are_those_of_the_command_line(model, program):
    output = subprocess.run(
        [program, "embed", "深度学习"], check=True, capture_output=True, text=True
    ).stdout
    expected = json.loads(output)
    expected = expected[0] if isinstance(expected[0], list) else expected
    assert dot(model.encode("深度学习"), expected) > 0.999999


def test_meaning_is_near(model):
    near = model.similarity("人工智能的发展", "深度学习推动AI进步")
    assert near > model.similarity("人工智能的发展", "今天晚上吃什么")
    assert math.isclose(near, model.similarity(model.encode("人工智能的发展"), "深度学习推动AI进步"), abs_tol=1e-6)


def test_first_numbers_have_length_1(model):
    vector = model.encode("茶", dim=20)
    assert len(vector) == 20 and math.isclose(dot(vector, vector), 1, abs_tol=1e-5)


def test_numpy_is_used_when_it_is_there(model):
    numpy = pytest.importorskip("numpy")
    rows = model.encode(["a", "b"])
    assert rows.dtype == numpy.float32 and rows.shape == (2, 384)


def test_tokens(model):
    tokens = model.tokenize("你好", pair="世界", max_tokens=6)
    # As transformers' AutoTokenizer gives it with truncation="longest_first".
    assert tokens.tokens == ["[CLS]", "你", "[SEP]", "世", "界", "[SEP]"]
    assert tokens.token_type_ids == [0, 0, 0, 1, 1, 1]
    assert tokens.attention_mask == [1] * 6 and len(tokens.input_ids) == 6


def test_chunks_are_where_they_say(model):
    text = "深度学习推动AI进步。今天晚上吃什么？" * 100
    chunks = model.chunks(text)
    assert len(chunks) > 5
    for chunk in chunks:
        assert text.encode()[chunk.start : chunk.end].decode() == chunk.text
        assert 0 < chunk.n_tokens <= 200
    assert model.chunks("") == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda m: m.encode("a", dim=385),
        lambda m: m.encode("a", dim=0),
        lambda m: m.encode("a", prompt="query"),
        lambda m: m.encode("a\0b"),
        lambda m: m.similarity([1.0], [1.0, 2.0]),
        lambda m: m.tokenize("a", max_tokens=-1),
        lambda m: m.tokenize("a", max_tokens=1),
        lambda m: ernie.Model(threads=-1),
    ],
)
def test_wrong_arguments_are_errors(model, wrong):
    with pytest.raises(ernie.Error) as error:
        wrong(model)
    assert error.value.code == ernie.Code.EINVAL and error.value.message


def test_what_is_no_text_is_a_type_error(model):
    with pytest.raises(TypeError):
        model.encode([1])


def test_a_lone_surrogate_is_read_as_replacement(model):
    assert len(model.encode("a\ud800b")) == 384


def test_no_such_model():
    with pytest.raises(ernie.Error, match="nowhere") as error:
        ernie.Model("/nowhere")
    assert error.value.code == ernie.Code.ENOTFOUND
    assert pickle.loads(pickle.dumps(error.value)).message == error.value.message


def test_a_closed_model_says_so():
    model = ernie.Model()
    model.close()
    model.close()
    with pytest.raises(ernie.Error, match="closed"):
        model.encode("a")


def test_threads_share_a_model(model):
    expected = list(model.encode("茶"))
    wrong = []

    def work():
        for _ in range(20):
            if list(model.encode("茶")) != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def run_python(top, code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        # Not in the top of the build tree, where `import ernie` finds the extension ernie.so.
        cwd=top / "python",
        env={**os.environ, **environment},
    )


def test_without_numpy_lists_come_back(top):
    result = run_python(
        top,
        "import sys; sys.modules['numpy'] = None\n"
        "import ernie; m = ernie.Model(); rows = m.encode(['a', 'b'])\n"
        "assert type(rows) is list and type(rows[0]) is list and len(rows[1]) == 384\n"
        "assert abs(m.similarity('a', rows[0]) - 1) < 1e-5\n",
    )
    assert result.returncode == 0, result.stderr


def test_a_library_that_is_not_there_is_told(top):
    result = run_python(top, "import ernie", ERNIE_LIBRARY="/nowhere/libernie.so")
    assert result.returncode != 0 and "ERNIE_LIBRARY" in result.stderr


def test_a_library_of_another_version_is_refused(top, tmp_path):
    source = tmp_path / "other.c"
    source.write_text('const char *ernie_version(void) { return "9.9.9"; }\n')
    library = tmp_path / "libernie.so"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    except FileNotFoundError:
        pytest.skip("no C compiler")
    result = run_python(top, "import ernie", ERNIE_LIBRARY=str(library))
    assert result.returncode != 0 and "this is ernie 9.9.9" in result.stderr
