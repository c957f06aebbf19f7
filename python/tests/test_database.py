import json
import os
import subprocess
import threading

import ernie
import pytest


@pytest.fixture
def database(model, tmp_path):
    with ernie.Database(tmp_path / "a.db", model) as database:
        yield database


@pytest.fixture
def documents(top):
    return top / "examples" / "documents"


def test_index_and_search(database, documents):
    seen = []
    report = database.index(documents, progress=seen.append)
    assert report.n_added == 14 and report.n_chunks >= 14 and report.n_failed == 0
    assert seen[-1].stage == ernie.Stage.INDEX and seen[-1].n_files_done == 14
    assert any(now.path and now.path.endswith(".md") for now in seen)
    hits = database.search("人工智能是怎样发展起来的", k=3)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].path.endswith("人工智能简史.md") and os.path.isabs(hits[0].path)
    assert hits[0].title == "人工智能简史" and hits[0].line == 1 and hits[0].score > 0.4
    assert [hits[0].snippet[a:b] for a, b in hits[0].marks][0] == "人工智能" and hits[0].page is None
    assert "1956" in hits[0].snippet and hits[0].document_id and hits[0].chunk_id
    assert database.index([str(documents)]).n_unchanged == 14
    assert len(database.search("茶", k=1000, all_chunks=True)) == report.n_chunks
    every = database.search("茶", k=1000)
    assert sum(1 + hit.n_more for hit in every) <= report.n_chunks
    assert all(len(hit.places) == min(hit.n_more, 5) for hit in every)
    assert hits[0].format == "markdown" and hits[0].author is None and len(hits[0].date) == 10
    assert {hit.format for hit in database.search("茶", k=99, formats=["text"])} == {"text"}
    assert database.search("茶", before="1990") == [] != database.search("茶", after="1990")
    assert len(database.search("茶", k=99, path=hits[0].path)) == 1
    with pytest.raises(ernie.Error):
        database.search("茶", formats=["nonsense"])


def test_hits_are_those_of_the_command_line(database, documents, program, tmp_path):
    database.index(documents)
    output = subprocess.run(
        [program, "search", "--db", tmp_path / "a.db", "--json", "-k", "4", "tea"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    expected = [(h["path"], h["line"], round(h["score"], 5)) for h in json.loads(output)]
    assert [(h.path, h.line, round(h.score, 5)) for h in database.search("tea", k=4)] == expected


def test_texts_of_ones_own(database):
    database.add_text("note-1", "深度学习推动AI进步", title="笔记")
    database.add_text("note-2", "Knead the dough and bake it in a hot oven.")
    hit = database.search("人工智能")[0]
    assert (hit.path, hit.title) == ("note-1", "笔记")
    assert database.remove("note-1") == 1
    assert [hit.path for hit in database.search("人工智能")] == ["note-2"]
    with pytest.raises(ernie.Error) as error:
        database.remove("note-1")
    assert error.value.code == ernie.Code.ENOTFOUND


def test_modes(database):
    database.add_text("note-1", "深度学习推动AI进步")
    database.add_text("note-2", "绿茶怕烫，水温八十度左右最好。")
    database.add_text("note-3", "Knead the dough and bake it in a hot oven.")
    database.add_text("note-4", "火车晚点了。")
    hits = database.search("水温", mode="keyword")
    assert [hit.path for hit in hits] == ["note-2"]
    assert hits[0].keyword_rank == 1 and hits[0].vector_rank is None and hits[0].bm25 > 0
    hits = database.search("水温", mode="vector")
    assert len(hits) == 4 and hits[0].vector_rank == 1 and hits[0].keyword_rank is None
    hit = database.search("绿茶")[0]
    assert (hit.path, hit.vector_rank, hit.keyword_rank) == ("note-2", 1, 1)
    assert "note-2" not in [hit.path for hit in database.search("绿茶 -水温")]
    with pytest.raises(ValueError):
        database.search("水温", mode="fuzzy")


def test_remove_takes_relative_paths(database, documents, monkeypatch):
    database.index(documents)
    monkeypatch.chdir(documents)
    assert database.remove("notes") == 4


def test_exclude_and_hidden(database, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "b.md").write_text("two")
    (folder / ".c.txt").write_text("three")
    assert database.index(folder, exclude=["*.md"]).n_added == 1
    assert database.index(folder, hidden=True).n_added == 2


def test_progress_may_stop_it(database, documents):
    with pytest.raises(ernie.Error) as error:
        database.index(documents, progress=lambda now: now.stage == ernie.Stage.EMBED)
    assert error.value.code == ernie.Code.ECANCELED
    database.index(documents)
    assert database.status().n_documents == 14


def test_what_progress_raises_comes_out(database, documents):
    def progress(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.index(documents, progress=progress)


def test_progress_cannot_use_the_database(database, documents):
    with pytest.raises(ernie.Error, match="it is indexing"):
        database.index(documents, progress=lambda now: database.search("a"))


def test_status_and_verify(database, model, documents, tmp_path):
    assert database.status().n_documents == 0
    database.index(documents)
    status = database.status()
    assert status.n_documents == 14 and status.dim == status.model_dim == 384
    assert status.model_fingerprint == model.fingerprint
    assert status.model_name == "ernie-micro-zh-en"
    assert database.verify() == []


def test_verify_tells_what_is_wrong(database, documents, program, tmp_path):
    database.index(documents)
    subprocess.run(
        [program, "sql", "--db", tmp_path / "a.db"],
        input="UPDATE ernie_embeddings SET checksum = 7 WHERE chunk_id = 2;",
        check=True,
        text=True,
    )
    findings = database.verify()
    assert findings and any("2" in finding for finding in findings)


def test_read_mode_writes_nothing(model, database, tmp_path):
    database.add_text("a", "茶")
    with ernie.Database(tmp_path / "a.db", model, mode="read") as reader:
        assert len(reader.search("tea")) == 1
        with pytest.raises(ernie.Error, match="reading only"):
            reader.add_text("b", "b")
    with pytest.raises(ernie.Error) as error:
        ernie.Database(tmp_path / "none.db", model, mode="read")
    assert error.value.code == ernie.Code.ENOTFOUND
    with pytest.raises(ernie.Error, match="mode"):
        ernie.Database(tmp_path / "a.db", model, mode="w")


def test_wrong_questions(database):
    database.add_text("a", "茶")
    for query, k in (("", 10), ("a\0", 10), ("a", 0), ("a", -1)):
        with pytest.raises(ernie.Error) as error:
            database.search(query, k)
        assert error.value.code == ernie.Code.EINVAL


def test_a_model_outlives_its_databases(tmp_path):
    model = ernie.Model()
    database = ernie.Database(tmp_path / "a.db", model)
    model.close()
    database.add_text("a", "茶")
    assert database.search("tea")[0].path == "a"
    database.close()
    database.close()
    with pytest.raises(ernie.Error, match="closed"):
        database.search("tea")


def test_threads_share_a_database(database, documents):
    database.index(documents)
    expected = database.search("茶")
    wrong = []

    def work():
        for _ in range(10):
            if database.search("茶") != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
