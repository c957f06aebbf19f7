-- A collection as schema version 1 had it: that version's schema.sql and one document of two
-- chunks, as `sqlite3 v1.db .dump` writes it.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE ernie_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO ernie_meta VALUES('schema_version','1');
INSERT INTO ernie_meta VALUES('uuid','28640b19fc7ed3410178439ff951b1d8');
CREATE TABLE ernie_roots (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    path NOT NULL UNIQUE
);
INSERT INTO ernie_roots VALUES(0,'');
CREATE TABLE ernie_documents (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    root_id    INTEGER NOT NULL REFERENCES ernie_roots (id),
    path       NOT NULL,
    title      TEXT NOT NULL,
    format     TEXT NOT NULL,
    encoding   TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    ctime_ns   INTEGER NOT NULL,
    checked_ns INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    failure    TEXT,
    UNIQUE (root_id, path)
);
INSERT INTO ernie_documents VALUES(1,0,'note','题目','text','UTF-8',7,1,2,3,X'30313233343536373839616263646500',NULL);
CREATE TABLE ernie_chunks (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES ernie_documents (id),
    ordinal     INTEGER NOT NULL,
    start_byte  INTEGER NOT NULL,
    end_byte    INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    text        TEXT NOT NULL,
    UNIQUE (document_id, ordinal)
);
INSERT INTO ernie_chunks VALUES(1,1,0,0,12,1,'人工智能');
INSERT INTO ernie_chunks VALUES(2,1,1,12,24,2,'备份脚本');
CREATE TABLE ernie_embeddings (
    chunk_id INTEGER PRIMARY KEY REFERENCES ernie_chunks (id),
    vector   BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
INSERT INTO ernie_embeddings VALUES(1,X'9a99193fcdcc4c3f0000000000000000',4013280145952768540);
INSERT INTO ernie_embeddings VALUES(2,X'9a99193fcdcc4c3f0000000000000000',4013280145952768540);
CREATE TABLE ernie_log (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    op       TEXT NOT NULL CHECK (op IN ('add', 'replace', 'delete')),
    chunk_id INTEGER NOT NULL,
    mark     INTEGER NOT NULL DEFAULT (random())
);
INSERT INTO ernie_log VALUES(1,'add',1,-2939674024235544456);
INSERT INTO ernie_log VALUES(2,'add',2,-9222560628488089737);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('ernie_roots',0);
INSERT INTO sqlite_sequence VALUES('ernie_documents',1);
INSERT INTO sqlite_sequence VALUES('ernie_chunks',2);
INSERT INTO sqlite_sequence VALUES('ernie_log',2);
CREATE INDEX ernie_embeddings_ids ON ernie_embeddings (chunk_id);
CREATE TRIGGER ernie_documents_delete BEFORE DELETE ON ernie_documents BEGIN
    DELETE FROM ernie_chunks WHERE document_id = OLD.id;
END;
CREATE TRIGGER ernie_chunks_delete BEFORE DELETE ON ernie_chunks BEGIN
    DELETE FROM ernie_embeddings WHERE chunk_id = OLD.id;
    INSERT INTO ernie_log (op, chunk_id) VALUES ('delete', OLD.id);
END;
CREATE TRIGGER ernie_embeddings_add AFTER INSERT ON ernie_embeddings BEGIN
    INSERT INTO ernie_log (op, chunk_id) VALUES ('add', NEW.chunk_id);
END;
CREATE TRIGGER ernie_embeddings_replace AFTER UPDATE ON ernie_embeddings BEGIN
    INSERT INTO ernie_log (op, chunk_id) VALUES ('replace', NEW.chunk_id);
END;
COMMIT;
