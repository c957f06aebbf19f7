-- From schema version 1 to 2: what documents say of themselves, members of archives, pages
-- and headings. It runs inside of a transaction that has found the version to be 1, and
-- runs as it is:
--     sqlite3 notes.db < upgrade_1_2.sql
--
-- What is new is empty in the rows there are. extractor_version 0 says so: the next
-- `ernie index` reads those files again.
ALTER TABLE ernie_documents ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE ernie_documents ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE ernie_documents ADD COLUMN date TEXT;
ALTER TABLE ernie_documents ADD COLUMN container_id INTEGER REFERENCES ernie_documents (id);
ALTER TABLE ernie_documents ADD COLUMN extractor_version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ernie_documents_container ON ernie_documents (container_id)
    WHERE container_id IS NOT NULL;

ALTER TABLE ernie_chunks ADD COLUMN page INTEGER;
ALTER TABLE ernie_chunks ADD COLUMN heading TEXT NOT NULL DEFAULT '';

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

UPDATE ernie_meta SET value = '2' WHERE key = 'schema_version';
