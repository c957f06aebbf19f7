-- One collection of documents. The rows are the truth: the vector index beside the
-- database is made from them and can be thrown away.
--
-- The prefix ernie_ names the collection. The file runs as it is:
--     sqlite3 notes.db < schema.sql

-- What holds for the whole collection: schema_version, uuid, and once something is
-- embedded model_fingerprint, model_name, dim and chunker_version.
CREATE TABLE IF NOT EXISTS ernie_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Folders that were indexed. A path is relative to the database's own folder when
-- it lies in it, so that both can move together; else it is absolute. It is a BLOB
-- where it is not UTF-8.
CREATE TABLE IF NOT EXISTS ernie_roots (
    id   INTEGER PRIMARY KEY,
    path NOT NULL UNIQUE
);

-- Files, and texts that were given a name (root_id 0). Ids are never used again, so
-- that a hit never names another document than it was made from.
CREATE TABLE IF NOT EXISTS ernie_documents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    root_id    INTEGER NOT NULL,
    path       NOT NULL,         -- below the root; a BLOB where it is not UTF-8
    title      TEXT NOT NULL,
    format     TEXT NOT NULL,    -- text, markdown, html
    encoding   TEXT NOT NULL,    -- the file's charset
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    ctime_ns   INTEGER NOT NULL,
    checked_ns INTEGER NOT NULL, -- when it was read: a later change may share its mtime
    hash       BLOB NOT NULL,    -- XXH3-128 of the file's bytes
    failure    TEXT,             -- why it has no chunks; it is tried again when it changes
    UNIQUE (root_id, path)
);

-- What is embedded and found: some sentences of a document.
CREATE TABLE IF NOT EXISTS ernie_chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES ernie_documents (id),
    ordinal     INTEGER NOT NULL, -- 0, 1, ... in the document
    start_byte  INTEGER NOT NULL, -- of the document's text as it was extracted
    end_byte    INTEGER NOT NULL,
    line        INTEGER NOT NULL, -- of the file, from 1
    text        TEXT NOT NULL,
    UNIQUE (document_id, ordinal)
);

-- Apart from the chunks, so that looking up texts does not read past vectors.
CREATE TABLE IF NOT EXISTS ernie_embeddings (
    chunk_id INTEGER PRIMARY KEY REFERENCES ernie_chunks (id),
    vector   BLOB NOT NULL,    -- little-endian float32, length 1
    checksum INTEGER NOT NULL  -- the first 8 bytes of XXH3-128 of the vector
);

-- Every change of a vector, in the transaction that made it. An index remembers the
-- last entry it includes, by number and mark; what comes after is its tail.
CREATE TABLE IF NOT EXISTS ernie_log (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    op       TEXT NOT NULL CHECK (op IN ('add', 'delete', 'replace')),
    chunk_id INTEGER NOT NULL,
    mark     INTEGER NOT NULL DEFAULT (random())
);
