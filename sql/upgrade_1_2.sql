-- From schema version 1 to 2: what documents say of themselves, members of archives, pages
-- and headings, and what keyword search needs. It runs inside of a transaction that has found
-- the version to be 1, and runs as it is:
--     sqlite3 notes.db < upgrade_1_2.sql
--
-- What is new is empty in the rows there are. extractor_version 0 says so: the next
-- `ernie index` reads those files again. ernie_words (words.sql) is made and filled by the
-- first who has its tokenizer and may write.
ALTER TABLE ernie_documents ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE ernie_documents ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE ernie_documents ADD COLUMN date TEXT;
ALTER TABLE ernie_documents ADD COLUMN container_id INTEGER REFERENCES ernie_documents (id);
ALTER TABLE ernie_documents ADD COLUMN extractor_version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ernie_documents_container ON ernie_documents (container_id)
    WHERE container_id IS NOT NULL;
CREATE INDEX ernie_documents_hash ON ernie_documents (hash);

ALTER TABLE ernie_chunks ADD COLUMN page INTEGER;
ALTER TABLE ernie_chunks ADD COLUMN heading TEXT NOT NULL DEFAULT '';

CREATE TABLE ernie_words_pending (
    chunk_id INTEGER PRIMARY KEY,
    title    TEXT, -- what ernie_words has of the chunk; NULL, all three, when it has nothing
    heading  TEXT,
    text     TEXT
);

CREATE VIEW ernie_words_source (id, title, heading, text) AS
    SELECT c.id, d.title, c.heading, c.text
    FROM ernie_chunks c JOIN ernie_documents d ON d.id = c.document_id
    WHERE NOT EXISTS (SELECT 1 FROM ernie_words_pending p WHERE p.chunk_id = c.id)
    UNION ALL
    SELECT chunk_id, title, heading, text FROM ernie_words_pending WHERE text IS NOT NULL;

DROP TRIGGER ernie_documents_delete;
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

DROP TRIGGER ernie_chunks_delete;
CREATE TRIGGER ernie_chunks_delete BEFORE DELETE ON ernie_chunks BEGIN
    INSERT INTO ernie_words_pending
    SELECT OLD.id, d.title, OLD.heading, OLD.text FROM ernie_documents d
    WHERE d.id = OLD.document_id
    AND NOT EXISTS (SELECT 1 FROM ernie_words_pending WHERE chunk_id = OLD.id);
    DELETE FROM ernie_embeddings WHERE chunk_id = OLD.id;
    INSERT INTO ernie_log (op, chunk_id) VALUES ('delete', OLD.id);
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

UPDATE ernie_meta SET value = '2' WHERE key = 'schema_version';
