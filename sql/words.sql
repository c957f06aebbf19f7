-- The words of a collection's chunks for keyword search. Who runs this, or writes to the
-- table, or searches it, needs the tokenizer of fts_tokenizer.h on the connection, which is
-- why it is not in schema.sql. It is made of the rows and can be made again:
--     INSERT INTO ernie_words (ernie_words) VALUES ('rebuild');
CREATE VIRTUAL TABLE ernie_words USING fts5 (
    title, heading, text,
    content = 'ernie_words_source', content_rowid = 'id', tokenize = 'ernie'
);
