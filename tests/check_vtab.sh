#!/bin/sh
# Virtual tables of texts (USING ernie(title, body, …)) in the stock sqlite3 shell.
. "${srcdir:-.}/tests/extension.sh"

ai="('AI', '深度学习让计算机从大量数据中学会识别图像和语音。', 2020, 'science')"
tea="('茶', '绿茶怕烫，水温八十度左右最好。', 2021, 'food')"
bread="('Bread', 'Knead the dough, let it rise, then bake it in a hot oven.', 2022, 'food')"

# ---- the issue's own words
check 'create' sql 'CREATE VIRTUAL TABLE notes USING ernie(title, body, year INTEGER, tag TEXT)'
check 'insert' sql "INSERT INTO notes(title, body, year, tag) VALUES $ai, $tea, $bread"
check 'MATCH, best first' gives 'AI' \
	"SELECT title FROM notes WHERE notes MATCH '人工智能' ORDER BY rank LIMIT 1"
check 'across languages' gives '茶' "SELECT title FROM notes('how hot should tea water be') LIMIT 1"
check 'k as argument' gives 2 "SELECT count(*) FROM notes('x', 2)"
check 'k in WHERE' gives 2 "SELECT count(*) FROM notes WHERE notes MATCH 'x' AND k = 2"
check 'mode' gives 3 "SELECT count(*) FROM notes('x', NULL, 'vector')"
check 'hybrid by itself' gives 'hybrid
keyword' "SELECT DISTINCT mode FROM notes('x')" "SELECT DISTINCT mode FROM notes('bread', NULL, 'keyword')"
check 'no such mode' refuses 'mode fuzzy: there are hybrid, vector and keyword' \
	"SELECT * FROM notes('x', 3, 'fuzzy')"
check 'k 0' refuses 'k must be 1 or more' "SELECT * FROM notes('x', 0)"
check 'an empty query' refuses 'query: empty' "SELECT * FROM notes(' ')"
check 'NULL finds nothing' gives 0 "SELECT count(*) FROM notes(NULL)"
check 'score, rank, distance' gives '1|1' \
	"SELECT max(abs(score + rank)) < 1e-12, max(abs(score + distance - 1)) < 1e-12 FROM notes('x', 9, 'vector')"
check 'the score is the cosine of the embeddings' gives 3 \
	"SELECT count(*) FROM notes('茶') WHERE abs(score - ernie_similarity(title || char(10, 10) || body, '茶')) < 1e-5"
check 'snippet' gives 'Bread Knead the dough, let it rise, then bake it in a hot oven.' \
	"SELECT snippet FROM notes('baking bread', 1)"
check 'without a question there is none of it' gives '3|0|0' \
	'SELECT count(*), count(score), count(snippet) FROM notes'
check 'WHERE' gives 'Bread' "SELECT title FROM notes('茶') WHERE year > 2021 ORDER BY rank LIMIT 1"
check 'columns of its own are hidden' gives 4 "SELECT count(*) FROM pragma_table_info('notes')"
check 'rows as they are' gives 'AI|2020|science' 'SELECT title, year, tag FROM notes WHERE rowid = 1'
check 'IN' gives "茶
Bread" "SELECT title FROM notes('tea', NULL, NULL) WHERE rowid IN (2, 3, 99) ORDER BY rank"
for order in rank 'score DESC' distance; do
	sql "EXPLAIN QUERY PLAN SELECT title FROM notes('茶') ORDER BY $order LIMIT 3"
	check "ORDER BY $order is not sorted again" sh -c "! grep -q 'TEMP B-TREE' out"
done
check 'lateral' gives "AI
Bread
茶" "CREATE TABLE questions (id INTEGER PRIMARY KEY, q)" \
	"INSERT INTO questions(q) VALUES ('人工智能'), ('how to bake'), (NULL), ('green tea')" \
	"SELECT n.title FROM questions q, notes(q.q, 1) n ORDER BY q.id"
check 'lateral, the table first' gives 3 \
	"SELECT count(*) FROM notes n JOIN questions q ON n.notes = q.q WHERE n.k = 1"
check 'correlated' gives 6 "SELECT sum((SELECT count(*) FROM notes(q.q, 2))) FROM questions q"
check 'two at once' gives 9 "SELECT count(*) FROM notes('茶') a, notes('面包') b"

# ---- words
check 'keyword: rows that have one of the words' gives "茶
Bread" "SELECT title FROM notes('绿茶 oven', NULL, 'keyword') ORDER BY rowid"
check 'an English word in another form' gives 'Bread' "SELECT title FROM notes('kneading', NULL, 'keyword')"
check 'a phrase, a minus, a start of a word' gives "茶
Bread
Bread" "SELECT title FROM notes WHERE notes MATCH '\"水温八十度\"' AND mode = 'keyword'" \
	"SELECT title FROM notes WHERE notes MATCH '绿茶 bake -水温' AND mode = 'keyword'" \
	"SELECT title FROM notes WHERE notes MATCH 'kne*' AND mode = 'keyword'"
check 'the minus of a question holds for hybrid' gives 'AI|Bread' \
	"SELECT group_concat(title, '|') FROM (SELECT title FROM notes('茶 -绿茶') ORDER BY rowid)"
check 'so does a phrase' gives '茶' "SELECT title FROM notes('\"水温\" bread')"
check 'words that none has: keyword gives none, hybrid all' gives '0|3' \
	"SELECT (SELECT count(*) FROM notes('xyzzy', NULL, 'keyword')), (SELECT count(*) FROM notes('xyzzy'))"
check 'keyword: rank is bm25, score the cosine' gives '1|1' \
	"CREATE VIRTUAL TABLE temp.peer USING fts5(title, body, tokenize = 'ernie')" \
	"INSERT INTO temp.peer(rowid, title, body) SELECT rowid, title, body FROM notes" \
	"SELECT k.rank = f.rank, abs(k.score - v.score) < 1e-12 FROM notes('茶', NULL, 'keyword') k
	 JOIN temp.peer f ON f.rowid = k.rowid JOIN notes('茶', NULL, 'vector') v ON v.rowid = k.rowid WHERE f.peer MATCH '茶'"
check 'ORDER BY score in each mode' gives 0 \
	"SELECT sum(before < score) FROM (SELECT score, lag(score) OVER () AS before FROM
	 (SELECT score FROM notes('茶 bread') ORDER BY score DESC))"
check 'words are marked in the snippet' gives 'Bread <b>Knead</b> the dough, let it rise, then bake it in a hot <b>oven</b>.' \
	"SELECT ernie_highlight(snippet, notes, '<b>', '</b>') FROM notes('kneading -tea \"oven\"')"
check 'highlight: nothing to mark, and nothing' gives '绿茶||1' \
	"SELECT ernie_highlight('绿茶', 'x', '[', ']'), ernie_highlight('', 'x', '[', ']'), ernie_highlight(NULL, 'x', '[', ']') IS NULL"
check 'a table of vectors has no words' refuses 'p: mode keyword: a table of vectors has no words' \
	'CREATE VIRTUAL TABLE p USING ernie(e float[2])' "SELECT * FROM p('[1,2]', NULL, 'keyword')"
check 'words=off' gives "vector
0" 'CREATE VIRTUAL TABLE o USING ernie(title, words=off)' "INSERT INTO o(title) VALUES ('x')" \
	"SELECT mode FROM o('x')" "SELECT count(*) FROM sqlite_master WHERE name LIKE 'o_words%'"
check 'words=off has no keyword' refuses 'o: mode hybrid: the table was made with words=off' \
	"INSERT INTO o(o) VALUES ('rebuild')" "SELECT * FROM o('x', NULL, 'hybrid')"
check 'both go' gives 0 'DROP TABLE o' 'DROP TABLE p' \
	"SELECT count(*) FROM sqlite_master WHERE name LIKE 'o_%' OR name LIKE 'p_%'"

# ---- changes
check 'another year embeds nothing again' gives "3
3" 'SELECT max(id) FROM notes_chunks' 'UPDATE notes SET year = year + 1' \
	'SELECT max(id) FROM notes_chunks'
check 'nor does the same text' gives 3 'UPDATE notes SET title = title || ""' \
	'SELECT max(id) FROM notes_chunks'
check 'another text does' gives "4
火车" "UPDATE notes SET title = '火车', body = '火车从三号站台出发。' WHERE rowid = 1" \
	'SELECT max(id) FROM notes_chunks' "SELECT title FROM notes('铁路', 1)"
check 'REPLACE' gives "3
月亮" "REPLACE INTO notes(rowid, title, body) VALUES (1, '月亮', '月亮绕着地球转。')" \
	'SELECT count(*) FROM notes' "SELECT title FROM notes('moon', 1)"
check 'a rowid that is there' refuses 'UNIQUE constraint failed: notes.rowid' \
	"INSERT INTO notes(rowid, title) VALUES (1, 'x')"
check 'OR IGNORE' gives '月亮' "INSERT OR IGNORE INTO notes(rowid, title) VALUES (1, 'x')" \
	'SELECT title FROM notes WHERE rowid = 1'
check 'DELETE' gives "2
2
2" 'DELETE FROM notes WHERE rowid = 1' 'SELECT count(*) FROM notes' \
	"SELECT count(*) FROM notes('moon')" 'SELECT count(*) FROM notes_embeddings'
check 'last_insert_rowid' gives 77 "INSERT INTO notes(rowid, title) VALUES (77, 'x')" \
	'SELECT last_insert_rowid()'
check 'in a transaction too' gives "78
78" 'BEGIN' "INSERT INTO notes(title) VALUES ('y')" 'SELECT last_insert_rowid()' 'COMMIT' \
	'SELECT last_insert_rowid()'
check 'within a transaction, before its end' gives "1
0" 'BEGIN' "INSERT INTO notes(title) VALUES ('The quick brown fox')" \
	"SELECT count(*) FROM notes('fox', 1) WHERE title LIKE '%fox'" 'ROLLBACK' \
	"SELECT count(*) FROM notes('fox') WHERE title LIKE '%fox'"
check 'savepoints' gives "1|0|1" 'BEGIN' "INSERT INTO notes(title) VALUES ('owl')" 'SAVEPOINT s' \
	"INSERT INTO notes(title) VALUES ('hawk')" 'ROLLBACK TO s' \
	"INSERT INTO notes(title) VALUES ('crow')" 'COMMIT' \
	"SELECT sum(title = 'owl'), sum(title = 'hawk'), sum(title = 'crow') FROM notes('bird')"
check 'a statement that fails leaves nothing' refuses 'UNIQUE' 'BEGIN' \
	"INSERT INTO notes(rowid, title) VALUES (500, 'a'), (501, 'b'), (2, 'c')"
check 'nothing' gives '0|0' "SELECT count(*), (SELECT count(*) FROM notes_chunks WHERE document_id > 499)
	FROM notes WHERE rowid > 499"
check 'many rows in one statement' gives "1000
1000" "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000)
	INSERT INTO notes(rowid, title) SELECT 1000 + i, 'word ' || i FROM c" \
	'SELECT count(*) FROM notes WHERE rowid > 1000' \
	'SELECT count(*) FROM notes_embeddings e JOIN notes_chunks c ON c.id = e.chunk_id WHERE c.document_id > 1000'
check 'whole' sql "INSERT INTO notes(notes) VALUES ('integrity-check')"
check 'DELETE of all' gives '0|0|0' 'DELETE FROM notes WHERE rowid > 1000' \
	"SELECT count(*), (SELECT count(*) FROM notes_chunks WHERE document_id > 1000),
	 (SELECT count(*) FROM notes('word') WHERE rowid > 1000) FROM notes WHERE rowid > 1000"
check 'rows without words' gives "3
0" "INSERT INTO notes(rowid, title, body) VALUES (600, NULL, NULL), (601, '', ''), (602, '   ', NULL)" \
	'SELECT count(*) FROM notes WHERE rowid BETWEEN 600 AND 602' \
	"SELECT count(*) FROM notes('x') WHERE rowid BETWEEN 600 AND 602"
check 'bytes that are not UTF-8, and a 0' gives 1 \
	"INSERT INTO notes(rowid, title) VALUES (603, CAST(x'ff61c30062' AS TEXT))" \
	"SELECT count(*) FROM notes('x') WHERE rowid = 603"
check 'rowids 0, negative and largest' gives 4 \
	"INSERT INTO notes(rowid, title) VALUES (0, 'apple'), (-5, 'pear'), (9223372036854775807, 'plum'),
	 (-9223372036854775807 - 1, 'quince')" \
	"SELECT count(*) FROM notes('fruit') WHERE title IN ('apple', 'pear', 'plum', 'quince')"
check 'those go' sql "DELETE FROM notes WHERE title IN ('apple', 'pear', 'plum', 'quince')"
check 'score cannot be written' refuses 'cannot be written' "INSERT INTO notes(title, score) VALUES ('x', 1)"
check 'no such command' refuses "there are integrity-check, rebuild, optimize" \
	"INSERT INTO notes(notes) VALUES ('explode')"

# ---- a text of many chunks
check 'a long text' gives '1|1|1' \
	"INSERT INTO notes(rowid, title, body) SELECT 700, 'Long', group_concat('Sentence number ' || value || ' is about trains.', ' ')
	 || ' The volcano erupts at night. ' || group_concat('Sentence number ' || value || ' is about boats.', ' ')
	 FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM c WHERE value < 400) SELECT value FROM c)" \
	"SELECT count(*), (SELECT count(*) > 20 FROM notes_chunks WHERE document_id = 700),
	 snippet LIKE '%volcano%' FROM notes('volcano eruption') WHERE rowid = 700"
check 'keyword: the snippet is where the words are' gives '1' \
	"SELECT snippet LIKE '%Sentence number 377 is about boats%' FROM notes('a journey by rail: \"number 377 is about boats\"', NULL, 'keyword')"
check 'a minus is said of the whole row' gives 0 \
	"SELECT count(*) FROM notes('volcano -boats', NULL, 'keyword')"
check 'each row once' gives '1|1' \
	"SELECT count(*), count(DISTINCT rowid) FROM notes('volcano trains boats', NULL, 'hybrid') WHERE rowid = 700"

# ---- the rest of a table's life
check 'rename' gives "1
0" 'ALTER TABLE notes RENAME TO "my notes"' "SELECT count(*) FROM \"my notes\"('tea', 1)" \
	"SELECT count(*) FROM sqlite_master WHERE tbl_name LIKE 'notes%'"
check 'renamed, written' sql 'INSERT INTO "my notes"(title) VALUES ('\''new'\'')' \
	'INSERT INTO "my notes"("my notes") VALUES ('\''integrity-check'\'')'
check 'a second of the old name' sql 'CREATE VIRTUAL TABLE notes USING ernie(title)' \
	"INSERT INTO notes(title) VALUES ('another')" 'DROP TABLE notes'
check 'rename in a transaction, undone' gives '1' 'BEGIN' "INSERT INTO \"my notes\"(title) VALUES ('lost')" \
	'ALTER TABLE "my notes" RENAME TO x' "INSERT INTO x(title) VALUES ('lost')" 'ROLLBACK' \
	"INSERT INTO \"my notes\"(title) VALUES ('kept')" \
	"SELECT sum(title = 'kept') - sum(title = 'lost') FROM \"my notes\"('kept')"
check 'rename back' sql 'ALTER TABLE "my notes" RENAME TO notes'
check 'another table is altered in between' gives 1 'CREATE TABLE plain (a)' 'BEGIN' \
	"INSERT INTO notes(title) VALUES ('platypus')" 'ALTER TABLE plain RENAME TO plainer' \
	"SELECT count(*) FROM notes('duckbill') WHERE title = 'platypus'" 'COMMIT'
check 'VACUUM' gives 1 'VACUUM' "SELECT count(*) FROM notes('platypus', 1)"
check 'optimize' sql "INSERT INTO notes(notes) VALUES ('optimize')"
check 'there is an index file' sh -c "ls '$db'-ann-* >/dev/null"
check 'rebuild' sql "INSERT INTO notes(notes) VALUES ('rebuild')" \
	"INSERT INTO notes(notes) VALUES ('integrity-check')"
check 'a damaged index file hurts nobody' sh -c "for f in '$db'-ann-*; do printf x >\"\$f\"; done"
check 'found without it' gives 1 "SELECT count(*) FROM notes('platypus', 1) WHERE title = 'platypus'"
check 'defensive' gives '          defensive on
1' '.dbconfig defensive on' "INSERT INTO notes(title) VALUES ('defended')" \
	"SELECT count(*) FROM notes('defended', 1)"
check 'tables behind it are protected then' refuses 'may not be modified' '.dbconfig defensive on' \
	'DELETE FROM notes_chunks'
check 'query_only' gives 1 'PRAGMA query_only = ON' "SELECT count(*) FROM notes('x', 1)"
check 'attached' gives 'far' "ATTACH '$work/b.db' AS b" 'CREATE VIRTUAL TABLE b.notes USING ernie(title)' \
	"INSERT INTO b.notes(title) VALUES ('far')" "SELECT title FROM b.notes WHERE notes MATCH 'near'"
check 'detached' gives 0 "ATTACH '$work/b.db' AS b" "INSERT INTO b.notes(title) VALUES ('gone')" \
	"SELECT count(*) FROM b.notes('x', 1) WHERE 0" 'DETACH b'
check 'attached, by words' gives 1 "ATTACH '$work/b.db' AS b" \
	"SELECT count(*) FROM b.notes WHERE notes MATCH 'far' AND mode = 'keyword'" \
	"INSERT INTO b.notes(notes) VALUES ('integrity-check')"
check 'attached, both in one transaction' gives '1|0' "ATTACH '$work/b.db' AS b" 'BEGIN' \
	"INSERT INTO b.notes(title) VALUES ('zebra')" "INSERT INTO notes(title) VALUES ('okapi')" 'COMMIT' \
	"SELECT (SELECT count(*) FROM b.notes WHERE title = 'zebra'), (SELECT count(*) FROM main.notes WHERE title = 'zebra')"
check 'triggers write it' gives 'by a trigger' 'CREATE TABLE posts (id INTEGER PRIMARY KEY, text)' \
	'CREATE VIRTUAL TABLE found USING ernie(text, content=posts)' \
	'CREATE TRIGGER a AFTER INSERT ON posts BEGIN INSERT INTO found(rowid, text) VALUES (NEW.id, NEW.text); END' \
	'CREATE TRIGGER u AFTER UPDATE OF text ON posts BEGIN UPDATE found SET text = NEW.text WHERE rowid = NEW.id; END' \
	'CREATE TRIGGER d AFTER DELETE ON posts BEGIN DELETE FROM found WHERE rowid = OLD.id; END' \
	"INSERT INTO posts(text) VALUES ('by a trigger'), ('green tea')" "SELECT text FROM found('trigger', 1)"
check 'content= follows' gives "railway
1|0" "UPDATE posts SET text = 'railway' WHERE id = 2" "SELECT text FROM found('trains', 1)" \
	'DELETE FROM posts WHERE id = 1' \
	"SELECT count(*), (SELECT count(*) FROM sqlite_master WHERE name = 'found_content') FROM found('x')"
check 'content= within a transaction' gives '0|1' 'BEGIN' "INSERT INTO posts(id, text) VALUES (50, 'wombat'), (51, 'koala')" \
	'DELETE FROM posts WHERE id = 50' 'COMMIT' \
	"SELECT (SELECT count(*) FROM found_chunks WHERE document_id = 50), count(*) FROM found('x') WHERE rowid = 51"
check 'content= twice' refuses 'UNIQUE' 'BEGIN' "INSERT INTO found(rowid, text) VALUES (60, 'a')" \
	"INSERT INTO found(rowid, text) VALUES (60, 'b')"
check 'content= whole' sql "INSERT INTO found(found) VALUES ('integrity-check')"
check 'content= behind' refuses 'damaged' 'DROP TRIGGER a' "INSERT INTO posts(text) VALUES ('not told')" \
	"INSERT INTO found(found) VALUES ('integrity-check')"
check 'content= rebuilt' gives 'not told' "INSERT INTO found(found) VALUES ('rebuild')" \
	"INSERT INTO found(found) VALUES ('integrity-check')" "SELECT text FROM found('not told', 1)"
check 'content= wants a rowid' refuses 'give the rowid' "INSERT INTO found(text) VALUES ('x')"
check 'views' gives 1 "CREATE VIEW best AS SELECT title FROM notes('x', 1)" 'SELECT count(*) FROM best'
check 'not where the schema is not trusted' refuses 'unsafe use' 'PRAGMA trusted_schema = OFF' \
	'SELECT count(*) FROM best'
check 'UTF-16' gives '茶' ".open $work/u.db" ".load $extension" "PRAGMA encoding = 'UTF-16'" \
	'CREATE VIRTUAL TABLE n USING ernie(title)' "INSERT INTO n(title) VALUES ('火车'), ('茶')" \
	"INSERT INTO n(n) VALUES ('integrity-check')" "SELECT title FROM n('tea', 1)"
sql "SELECT '$db-ann-' || substr(value, 1, 16) FROM notes_meta WHERE key = 'uuid'"
file=$(cat out)
check 'the index file is where it should be' [ -f "$file" ]
check 'drop' gives 0 'DROP TABLE notes' "SELECT count(*) FROM sqlite_master WHERE name LIKE 'notes%'"
check 'drop leaves no index file' [ ! -f "$file" ]
check 'create again' sql 'CREATE VIRTUAL TABLE notes USING ernie(title, body, year INTEGER, tag TEXT)'

sql "UPDATE notes_meta SET value = '3' WHERE key = 'schema_version'"
check 'a newer version is not searched' refuses 'newer ernie' "SELECT * FROM notes('x')"
check 'nor written' refuses 'newer ernie' "INSERT INTO notes(title) VALUES ('x')"
sql "UPDATE notes_meta SET value = '2' WHERE key = 'schema_version'"

# ---- models
check 'model= the one there is' sql 'CREATE VIRTUAL TABLE m USING ernie(title, model="ernie-micro-zh-en")' \
	"INSERT INTO m(title) VALUES ('茶')"
check 'model= another' refuses 'other' \
	'CREATE VIRTUAL TABLE m2 USING ernie(title, model=other)'
mkdir "$work/models" && cp -R "$model" "$work/models/second"
ERNIE_MODELS=$work/models
export ERNIE_MODELS
check 'model= of ERNIE_MODELS' gives 'tea' 'CREATE VIRTUAL TABLE m2 USING ernie(title, model=second)' \
	"INSERT INTO m2(title) VALUES ('tea'), ('火车')" "SELECT title FROM m2('茶', 1)"
check 'no path is a name' refuses 'name' "CREATE VIRTUAL TABLE m3 USING ernie(title, model='../models/second')"
unset ERNIE_MODELS
sql "INSERT INTO notes(title) VALUES ('rain')"
ERNIE_MODEL=$work/nowhere
check 'no model: rows are there' gives 'rain' 'SELECT title FROM notes'
check 'no model: not written' refuses 'nowhere' "INSERT INTO notes(title) VALUES ('x')"
check 'no model: nothing was' gives 1 'SELECT count(*) FROM notes'
check 'no model: not searched' refuses 'nowhere' "SELECT * FROM notes('x')"
check 'no model: dropped all the same' sql 'DROP TABLE m'
check 'no model: vectors need none' gives 1 'CREATE VIRTUAL TABLE v USING ernie(e float[2])' \
	"INSERT INTO v(e) VALUES ('[1,2]')" "SELECT count(*) FROM v('[2,1]')"
ERNIE_MODEL=$work/zh
cp -R "$model" "$work/zh"
printf '{"prompts": {"query": "q: ", "document": "d: "}}' >"$work/zh/config_sentence_transformers.json"
check 'another model' refuses "INSERT INTO notes(notes) VALUES('rebuild')" "SELECT * FROM notes('x')"
check 'is not mixed with the first' refuses "VALUES('rebuild')" "INSERT INTO notes(title) VALUES ('y')"
check 'rebuild embeds again' gives 'rain' "INSERT INTO notes(notes) VALUES ('rebuild')" \
	"INSERT INTO notes(notes) VALUES ('integrity-check')" "SELECT title FROM notes('weather', 1)"
ERNIE_MODEL=$model

finish
