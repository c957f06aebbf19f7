-- What lies behind a virtual table called notes, made by
--     CREATE VIRTUAL TABLE notes USING ernie(title, body, year INTEGER);
-- As with the collection of schema.sql the rows are the truth, and the index beside the
-- database can be made again from them. There are no triggers, which would keep a table's
-- old name after it was renamed: the virtual table writes the log itself. Nor are there
-- names of indexes, which would stay as well. The file runs as it is:
--     sqlite3 notes.db < vectors.sql
--
-- One more table holds the rows themselves, unless they are another table's (content=):
--     CREATE TABLE notes_content (id INTEGER PRIMARY KEY, c2 INTEGER, c0, c1);
-- c0, c1, ... are the columns in the order in which they were declared, texts last, so that
-- reading a year does not read past them. A vector has no column of its own.
--
-- And one has the words of the texts (vectors_words.h), with a tokenizer that a stock shell has
-- not, which is why it is not made here; schema_version is 2 then:
--     CREATE VIRTUAL TABLE notes_words USING fts5(tokenize = 'ernie', content = '', c0, c1);

-- schema_version and uuid, and once something is embedded model_fingerprint, model_name
-- and dim.
CREATE TABLE notes_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO notes_meta (key, value)
VALUES ('schema_version', '1'), ('uuid', lower(hex(randomblob(16))));

-- What is embedded and found: a whole row, or some sentences of a long one; or the vector
-- that a row was given. A row that changes gets new chunks with new ids, so that an index
-- made before the change names none of them.
CREATE TABLE notes_chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL, -- the rowid of the row
    ordinal     INTEGER NOT NULL, -- 0, 1, ... in the row
    start_byte  INTEGER NOT NULL, -- of the row's texts, a blank line between them
    end_byte    INTEGER NOT NULL,
    UNIQUE (document_id, ordinal)
);

-- The ids once more, without the vectors (UNIQUE): count(*) reads these pages and not all.
CREATE TABLE notes_embeddings (
    chunk_id INTEGER PRIMARY KEY,
    vector   BLOB NOT NULL,    -- little-endian float32 (or float16, with vector=f16)
    checksum INTEGER NOT NULL, -- the first 8 bytes of XXH3-128 of the vector, big-endian
    UNIQUE (chunk_id)
);

-- Every change of a vector, in the transaction that made it, as in schema.sql.
CREATE TABLE notes_log (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    op       TEXT NOT NULL CHECK (op IN ('add', 'replace', 'delete')),
    chunk_id INTEGER NOT NULL,
    mark     INTEGER NOT NULL DEFAULT (random())
);
