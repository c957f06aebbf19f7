-- One collection of documents. The rows are the truth: the vector index beside the
-- database is made from them and can be thrown away.
--
-- The prefix ernie_ names the collection; a second one in the same database would be
-- this text with another prefix. The file runs as it is:
--     sqlite3 notes.db < schema.sql

-- What holds for the whole collection: schema_version and uuid, and once something is
-- embedded model_fingerprint, model_name, dim (numbers of each vector), model_dim (of
-- which dim are the first) and chunker_version.
CREATE TABLE ernie_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO ernie_meta (key, value)
VALUES ('schema_version', '2'), ('uuid', lower(hex(randomblob(16))));

-- Folders that were indexed. A path is relative to the database's own folder when
-- it lies in it ("." is that folder), so that both can move together; else it is
-- absolute. Paths are TEXT, so that people can compare them, and a BLOB where the
-- bytes are not UTF-8.
CREATE TABLE ernie_roots (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    path NOT NULL UNIQUE
);

-- The root of documents that have no file: texts that were given a name.
INSERT INTO ernie_roots (id, path) VALUES (0, '');

-- A document that changes keeps its id, and no id is used twice, so that other
-- tables may refer to it. What was found in an archive or a mail is a document of its
-- own, whose path is the container's, a slash and the member's name.
CREATE TABLE ernie_documents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    root_id    INTEGER NOT NULL REFERENCES ernie_roots (id),
    path       NOT NULL,         -- below the root; or the name it was given
    title      TEXT NOT NULL,
    format     TEXT NOT NULL,    -- text, markdown, html
    encoding   TEXT NOT NULL,    -- the file's charset
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    ctime_ns   INTEGER NOT NULL,
    checked_ns INTEGER NOT NULL, -- when it was read: a later change may share its mtime
    hash       BLOB NOT NULL,    -- XXH3-128 of the file's bytes
    failure    TEXT,             -- why it has no chunks; it is tried again when it changes
    author     TEXT NOT NULL DEFAULT '', -- this and the next two as the document says
    language   TEXT NOT NULL DEFAULT '', -- zh-CN, en
    date       TEXT,                     -- 2024-01-31, or with its time; NULL when it says none
    container_id      INTEGER REFERENCES ernie_documents (id), -- what it is a member of
    extractor_version INTEGER NOT NULL DEFAULT 0, -- of what made the text and the chunks
    UNIQUE (root_id, path)
);

CREATE INDEX ernie_documents_container ON ernie_documents (container_id)
    WHERE container_id IS NOT NULL;

-- A file of a new name is known by its bytes.
CREATE INDEX ernie_documents_hash ON ernie_documents (hash);

-- What is embedded and found: some sentences of a document. A changed document gets
-- new chunks with new ids, so that an index made before the change names none of them.
CREATE TABLE ernie_chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES ernie_documents (id),
    ordinal     INTEGER NOT NULL, -- 0, 1, ... in the document
    start_byte  INTEGER NOT NULL, -- of the document's text as it was extracted
    end_byte    INTEGER NOT NULL,
    line        INTEGER NOT NULL, -- of the file, from 1
    text        TEXT NOT NULL,
    page        INTEGER,                  -- or slide or sheet, from 1; NULL where there are none
    heading     TEXT NOT NULL DEFAULT '', -- what it stands under: 第1章 › 备份
    UNIQUE (document_id, ordinal)
);

-- Apart from the chunks, so that looking up texts does not read past vectors.
CREATE TABLE ernie_embeddings (
    chunk_id INTEGER PRIMARY KEY REFERENCES ernie_chunks (id),
    vector   BLOB NOT NULL,    -- little-endian float32, length 1
    checksum INTEGER NOT NULL  -- the first 8 bytes of XXH3-128 of the vector, big-endian
);

-- The ids once more, without the vectors: count(*) reads these pages and not all.
CREATE INDEX ernie_embeddings_ids ON ernie_embeddings (chunk_id);

-- Every change of a vector, in the transaction that made it. An index remembers the
-- last entry it includes, by number and mark; what comes after is its tail. Entries
-- before the one that an index remembers say nothing to it and may be deleted.
CREATE TABLE ernie_log (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    op       TEXT NOT NULL CHECK (op IN ('add', 'replace', 'delete')),
    chunk_id INTEGER NOT NULL,
    mark     INTEGER NOT NULL DEFAULT (random())
);

-- The words of chunks, for keyword search, are in ernie_words (words.sql), which is made from
-- the rows as the vector index is. It keeps no text: to take words out of it, one must give
-- it the same text once more, and have its tokenizer, which not every program has that may
-- change rows. So triggers note here each chunk that came, went or was changed, with what
-- ernie_words still has of it; who has the tokenizer and writes next, brings it up to date.
-- Until then a chunk that is gone is a hit without a row.
CREATE TABLE ernie_words_pending (
    chunk_id INTEGER PRIMARY KEY,
    title    TEXT, -- what ernie_words has of the chunk; NULL, all three, when it has nothing
    heading  TEXT,
    text     TEXT
);

-- What ernie_words has, of each chunk.
CREATE VIEW ernie_words_source (id, title, heading, text) AS
    SELECT c.id, d.title, c.heading, c.text
    FROM ernie_chunks c JOIN ernie_documents d ON d.id = c.document_id
    WHERE NOT EXISTS (SELECT 1 FROM ernie_words_pending p WHERE p.chunk_id = c.id)
    UNION ALL
    SELECT chunk_id, title, heading, text FROM ernie_words_pending WHERE text IS NOT NULL;

-- Triggers keep the tables together and write the log whatever program changes the
-- rows: DELETE FROM ernie_documents WHERE path LIKE 'old/%' is enough, with foreign
-- keys enforced or not. Members go with their container, theirs with them: all in one
-- trigger, because no trigger is run by itself.
CREATE TRIGGER ernie_documents_delete BEFORE DELETE ON ernie_documents BEGIN
    DELETE FROM ernie_chunks WHERE document_id = OLD.id;
    DELETE FROM ernie_chunks WHERE document_id IN (
        WITH RECURSIVE inside (id) AS (
            SELECT id FROM ernie_documents WHERE container_id = OLD.id UNION
            SELECT d.id FROM inside JOIN ernie_documents d ON d.container_id = inside.id
        ) SELECT id FROM inside);
    DELETE FROM ernie_documents WHERE id <> OLD.id AND id IN (
        WITH RECURSIVE inside (id) AS (
            SELECT id FROM ernie_documents WHERE container_id = OLD.id UNION
            SELECT d.id FROM inside JOIN ernie_documents d ON d.container_id = inside.id
        ) SELECT id FROM inside);
END;

CREATE TRIGGER ernie_chunks_delete BEFORE DELETE ON ernie_chunks BEGIN
    INSERT INTO ernie_words_pending
    SELECT OLD.id, d.title, OLD.heading, OLD.text FROM ernie_documents d
    WHERE d.id = OLD.document_id
    AND NOT EXISTS (SELECT 1 FROM ernie_words_pending WHERE chunk_id = OLD.id);
    DELETE FROM ernie_embeddings WHERE chunk_id = OLD.id;
    INSERT INTO ernie_log (op, chunk_id) VALUES ('delete', OLD.id);
END;

CREATE TRIGGER ernie_embeddings_add AFTER INSERT ON ernie_embeddings BEGIN
    INSERT INTO ernie_log (op, chunk_id) VALUES ('add', NEW.chunk_id);
END;

CREATE TRIGGER ernie_embeddings_replace AFTER UPDATE ON ernie_embeddings BEGIN
    INSERT INTO ernie_log (op, chunk_id) VALUES ('replace', NEW.chunk_id);
END;

CREATE TRIGGER ernie_chunks_add AFTER INSERT ON ernie_chunks BEGIN
    INSERT INTO ernie_words_pending (chunk_id) VALUES (NEW.id);
END;

CREATE TRIGGER ernie_documents_update BEFORE UPDATE OF title ON ernie_documents
WHEN OLD.title IS NOT NEW.title BEGIN
    INSERT INTO ernie_words_pending
    SELECT c.id, OLD.title, c.heading, c.text FROM ernie_chunks c WHERE c.document_id = OLD.id
    AND NOT EXISTS (SELECT 1 FROM ernie_words_pending WHERE chunk_id = c.id);
END;

CREATE TRIGGER ernie_chunks_update BEFORE UPDATE OF document_id, heading, text ON ernie_chunks BEGIN
    INSERT INTO ernie_words_pending
    SELECT OLD.id, d.title, OLD.heading, OLD.text FROM ernie_documents d
    WHERE d.id = OLD.document_id
    AND NOT EXISTS (SELECT 1 FROM ernie_words_pending WHERE chunk_id = OLD.id);
END;
