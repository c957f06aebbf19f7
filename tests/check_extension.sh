#!/bin/sh
# The extension in the stock sqlite3 shell: what it answers, and what it leaves alone.
. "${srcdir:-.}/tests/extension.sh"

# same STATEMENT STATEMENT: both print the same, and something.
same() {
	sql "$1" && [ -s out ] && mv out first && sql "$2" && cmp -s out first
}

# ---- documents: a few to tell apart by meaning, and more than one fetch of 64
mkdir docs
echo '深度学习让计算机从大量数据中学会识别图像和语音。' >docs/ai.txt
echo '绿茶怕烫，水温八十度左右最好。' >docs/tea.txt
echo 'Knead the dough, let it rise, then bake it in a hot oven.' >docs/bread.txt
i=100
while [ $i -lt 300 ]; do
	echo "Train number $i leaves from platform $((i % 7)) in the morning." >docs/train-$i.txt
	i=$((i + 1))
done
check 'index' run 0 "$ernie" index docs --db "$db"
n=203

# ---- loading
check 'loads' gives "$("$ernie" --version | cut -d' ' -f2)" 'SELECT ernie_version()'
for name in ernie.so ernie0.so libernie.so mod_ernie.so vector.so; do
	cp "$extension" "$work/$name"
	check "loads as $name" run 0 env LD_PRELOAD="$preload" "$sqlite" -batch -bail :memory: \
		".load $work/$name" 'SELECT ernie_version()'
done
# Beside the program of the same name, which is what `.load ./ernie` tries first.
check 'loads as ./ernie' run 0 sh -c "cd '$build' && LD_PRELOAD=$preload '$sqlite' -batch -bail \
	:memory: '.load ./ernie' 'SELECT ernie_version()'"
check 'loads twice' gives "$("$ernie" --version | cut -d' ' -f2)" ".load $extension" \
	'SELECT ernie_version()'
exported=$(nm -D --defined-only "$extension" | awk '{ print $NF }' | sort | tr '\n' ' ')
check 'exports its entry points only' [ "$exported" = \
	'sqlite3_ernie_init sqlite3_extension_init sqlite3_modernie_init ' ]
for library in sqlite3 xml2 md4c uchardet; do
	check "is not linked to $library" \
		sh -c "! readelf -d '$extension' | grep NEEDED | grep -q '$library'"
done

# ---- ernie_embed, ernie_similarity
dim=$(sed -n 's/.*"hidden_size": *\([0-9]*\).*/\1/p' "$ERNIE_MODEL/config.json")
check 'embed gives a vector' gives "blob|$((dim * 4))" \
	"SELECT typeof(v), length(v) FROM (SELECT ernie_embed('文本') v)"
check 'embed of NULL' gives 1 'SELECT ernie_embed(NULL) IS NULL'
check 'embed takes numbers as text' gives 1 "SELECT ernie_embed(42) = ernie_embed('42')"
check 'embed of nothing' gives $((dim * 4)) "SELECT length(ernie_embed(''))"
check 'embed wants one text' refuses 'wrong number of arguments' 'SELECT ernie_embed()'
check 'embed of the first numbers' gives "80|1.0" \
	"SELECT length(v), round(ernie_similarity(v, '文本'), 5) FROM (SELECT ernie_embed('文本', NULL, 20) v)"
check 'embed of more numbers than there are' refuses 'ernie_embed: dim must be' \
	"SELECT ernie_embed('文本', NULL, $((dim + 1)))"
check 'embed of no numbers' refuses 'ernie_embed: dim must be' "SELECT ernie_embed('文本', NULL, 0)"
check 'embed with a prompt that is not there' refuses 'the model has no prompt of that name' \
	"SELECT ernie_embed('文本', 'query')"
check 'similarity of vectors of two lengths' refuses 'different lengths' \
	"SELECT ernie_similarity(ernie_embed('a', NULL, 3), ernie_embed('a', NULL, 4))"
check 'embed of a megabyte' gives $((dim * 4)) \
	"SELECT length(ernie_embed(replace(hex(zeroblob(200000)), '00', '文本 ')))"
check 'similar is more similar' gives 1 \
	"SELECT ernie_similarity('人工智能的发展', '深度学习推动AI进步') >
	 ernie_similarity('人工智能的发展', '今天晚上吃什么')"
check 'similarity of the same' gives 1.0 "SELECT round(ernie_similarity('茶', '茶'), 5)"
check 'similarity of text and vector' gives '1.0|1.0|1.0' \
	"SELECT round(ernie_similarity('茶', ernie_embed('茶')), 5),
	 round(ernie_similarity(ernie_embed('茶'), '茶'), 5),
	 round(ernie_similarity(ernie_embed('茶'), ernie_embed('茶')), 5)"
check 'similarity with NULL' gives '1|1' \
	"SELECT ernie_similarity(NULL, 'a') IS NULL, ernie_similarity('a', NULL) IS NULL"
check 'similarity with a zero vector' gives 0.0 \
	"SELECT ernie_similarity('a', zeroblob($((dim * 4))))"
check 'a BLOB of another length' refuses '3 bytes' "SELECT ernie_similarity('a', x'000000')"
nan=$(printf '0000c07f%0*d' $(((dim - 1) * 8)) 0)
check 'a vector with NaN' refuses 'not a number' "SELECT ernie_similarity('a', x'$nan')"
run 0 "$ernie" similarity 人工智能 机器学习
check 'similarity agrees with the command line' same \
	"SELECT printf('%.3f', ernie_similarity('人工智能', '机器学习'))" \
	"SELECT printf('%.3f', $(cut -f1 out | head -n 1))"
check 'pure functions work in views that are not trusted' gives 1.0 'PRAGMA trusted_schema = OFF' \
	"CREATE TEMP VIEW v AS SELECT round(ernie_similarity('a', ernie_embed('a')), 5) s" \
	'SELECT s FROM v'

# ---- the tokenizer
words="CREATE VIRTUAL TABLE temp.t USING fts5(x, tokenize = 'ernie');
	INSERT INTO t VALUES ('用GitHub備份腳本'), ('the runners'' getUserName')"
check 'FTS5 finds Chinese words' gives '用GitHub[備份]腳本' "$words" \
	"SELECT highlight(t, 0, '[', ']') FROM t('备份')"
check 'FTS5 finds one character' gives 1 "$words" "SELECT rowid FROM t('本')"
check 'FTS5 finds parts and stems' gives 2 "$words" "SELECT rowid FROM t('runner AND user')"
check 'the tokenizer has no options' refuses 'error in tokenizer constructor' \
	"CREATE VIRTUAL TABLE temp.t USING fts5(x, tokenize = 'ernie porter')"

# ---- ernie_search, the function
check 'search gives JSON' gives '10|array' \
	"SELECT json_array_length(j), json_type(j) FROM (SELECT ernie_search('人工智能') j)"
check 'search as the mission has it' sql "SELECT ernie_search('人工智能')"
check 'one line' [ "$(wc -l <out)" = 1 ]
check 'the best hit' gives "$work/docs/ai.txt" \
	"SELECT json_extract(ernie_search('人工智能'), '\$[0].path')"
check 'k' gives 3 "SELECT json_array_length(ernie_search('人工智能', 3))"
check 'more than there are' gives $n "SELECT json_array_length(ernie_search('人工智能', 1000000))"
check 'a huge k' gives $n "SELECT json_array_length(ernie_search('人工智能', 9223372036854775807))"
check 'fields' gives 'rank,score,fused_score,bm25,vector_rank,keyword_rank,path,title,heading,format,author,language,date,page,line,snippet,marks,n_more,places,document_id,chunk_id' \
	"SELECT group_concat(key) FROM json_each(ernie_search('茶', 1), '\$[0]')"
check 'its result is JSON to JSON functions' gives array \
	"SELECT json_type(json_array(ernie_search('茶')), '\$[0]')"
check 'search of NULL' gives 1 'SELECT ernie_search(NULL) IS NULL'
check 'k NULL is ten' gives 10 "SELECT json_array_length(ernie_search('茶', NULL))"
check 'k 0' refuses 'k must be 1 or more' "SELECT ernie_search('茶', 0)"
check 'k is no number' refuses 'k must be 1 or more' "SELECT ernie_search('茶', 'many')"
check 'an empty query' refuses 'query: empty' "SELECT ernie_search('')"
check 'a query of blanks' refuses 'query: empty' "SELECT ernie_search('   ')"
check 'a query of a megabyte' gives 10 \
	"SELECT json_array_length(ernie_search(replace(hex(zeroblob(200000)), '00', '人工 ')))"

# ---- ernie_search, the table
all="SELECT path, score FROM ernie_search('智能火车')"
check 'every document once, ranks without a gap' gives "$n|$n|1|$n" \
	"SELECT count(*), count(DISTINCT path), min(rank), max(rank) FROM ernie_search('智能火车')"
check 'fused scores never rise' gives 0 \
	"SELECT count(*) FROM (SELECT fused_score, lag(fused_score) OVER (ORDER BY rank) before
	 FROM ernie_search('智能火车')) WHERE fused_score > before"
check 'nor cosines of vectors alone' gives "0|$n" \
	"SELECT sum(score > before), count(*) FROM (SELECT score, lag(score, 1, 1) OVER
	 (ORDER BY rank) before FROM ernie_search('智能火车', NULL, 'vector'))"
check 'keywords find what has them' gives "$work/docs/tea.txt" \
	"SELECT path FROM ernie_search('水温') WHERE mode = 'keyword'"
check 'keywords have a cosine all the same' gives 1 \
	"SELECT k.score = v.score AND k.bm25 > 0 AND v.bm25 = 0 FROM
	 ernie_search('水温', 9, 'keyword') k JOIN ernie_search('水温', NULL, 'vector') v USING (path)"
check 'ranks of both sides' gives '1|1' \
	"SELECT vector_rank, keyword_rank FROM ernie_search('绿茶怕烫', 1)"
check 'both sides find at once' gives $n "SELECT count(*) FROM ernie_search('水温')"
check 'a -word is excluded from both' gives $((n - 1)) "SELECT count(*) FROM ernie_search('茶 -水温')"
check 'a phrase is required of both' gives "$work/docs/tea.txt" \
	"SELECT path FROM ernie_search('\"水温八十度\" 面包')"
check 'a phrase that is nowhere' gives 0 "SELECT count(*) FROM ernie_search('\"水温九十度\"')"
check 'the function has the modes too' gives "1|$n" \
	"SELECT json_array_length(ernie_search('水温', 1000, 'keyword')),
	 json_array_length(ernie_search('水温', 1000, 'vector'))"
check 'no such mode' refuses 'mode must be hybrid' "SELECT ernie_search('茶', 1, 'fuzzy')"
check 'LIMIT is the start of all' same "$all LIMIT 5" \
	"SELECT path, score FROM (SELECT * FROM ernie_search('智能火车') ORDER BY rank) LIMIT 5"
check 'LIMIT past the first fetch' same "$all LIMIT 100" \
	"SELECT path, score FROM (SELECT * FROM ernie_search('智能火车', $n)) LIMIT 100"
# The answer by hand: all rows into a table, the condition over that.
check 'all rows in a table' sql "CREATE TABLE listed AS SELECT * FROM ernie_search('智能火车')"
for condition in "path LIKE '%train-1_7%'" "path LIKE '%.txt' AND rank % 3 = 0" "score < 0.1" \
	"rank > 150" "path GLOB '*tea*'" "format = 'text'" "date < '2000' OR language IS NULL"; do
	check "WHERE $condition LIMIT 3" same \
		"SELECT path FROM ernie_search('智能火车') WHERE $condition LIMIT 3" \
		"SELECT path FROM listed WHERE $condition ORDER BY rank LIMIT 3"
done
check 'join with LIMIT' same \
	"SELECT d.id FROM ernie_search('智能火车') s JOIN ernie_documents d ON d.id = s.document_id
	 WHERE d.path LIKE '%8.txt' ORDER BY s.rank LIMIT 4" \
	"SELECT document_id FROM listed WHERE path LIKE '%8.txt' ORDER BY rank LIMIT 4"
check 'MATCH' same "SELECT path FROM ernie_search WHERE query MATCH '茶' LIMIT 4" \
	"SELECT path FROM ernie_search('茶') LIMIT 4"
check 'query =' same "SELECT path FROM ernie_search WHERE query = '茶' LIMIT 4" \
	"SELECT path FROM ernie_search('茶') LIMIT 4"
check 'the same as the function' same "SELECT group_concat(chunk_id) FROM ernie_search('茶', 10)" \
	"SELECT group_concat(json_extract(value, '\$.chunk_id')) FROM json_each(ernie_search('茶'))"
check 'k as argument' gives 7 "SELECT count(*) FROM ernie_search('茶', 7)"
check 'k = ' gives 70 "SELECT count(*) FROM ernie_search('茶') WHERE k = 70"
check 'hidden columns tell the arguments' gives '茶|7' \
	"SELECT query, k FROM ernie_search('茶', 7) LIMIT 1"
check 'hidden columns are hidden' gives 18 \
	"SELECT count(*) FROM pragma_table_info('ernie_search')"
check 'rowid is the rank' gives 0 "SELECT count(*) FROM ernie_search('茶') WHERE rowid <> rank"
for order in rank rowid; do
	sql "EXPLAIN QUERY PLAN SELECT path FROM ernie_search('茶') ORDER BY $order LIMIT 3"
	check "ORDER BY $order has a plan" grep -q 'ernie_search' out
	check "ORDER BY $order is not sorted again" sh -c "! grep -q 'TEMP B-TREE' out"
	check "ORDER BY $order" same "SELECT path FROM ernie_search('茶') ORDER BY $order" \
		"SELECT path FROM (SELECT path, rank FROM ernie_search('茶')) ORDER BY rank + 0"
done
for ordered in "'vector') ORDER BY score" "'vector') ORDER BY fused_score" "'hybrid') ORDER BY fused_score"; do
	sql "EXPLAIN QUERY PLAN SELECT path FROM ernie_search('茶', NULL, $ordered DESC LIMIT 3"
	check "$ordered DESC has a plan" grep -q 'ernie_search' out
	check "$ordered DESC is not sorted again" sh -c "! grep -q 'TEMP B-TREE' out"
	check "$ordered DESC" same "SELECT path FROM ernie_search('茶', NULL, $ordered DESC" \
		"SELECT path FROM ernie_search('茶', NULL, $ordered + 0 DESC"
done
for ordered in "ernie_search('茶') ORDER BY score DESC" "ernie_search('茶', NULL, 'vector') ORDER BY score" \
	"ernie_search('茶', NULL, 'hybrid') ORDER BY score DESC" "ernie_search('茶') ORDER BY fused_score"; do
	sql "EXPLAIN QUERY PLAN SELECT path FROM $ordered LIMIT 3"
	check "$ordered is sorted" grep -q 'TEMP B-TREE' out
done
check 'ORDER BY score DESC is by cosine' same \
	"SELECT path FROM ernie_search('茶') ORDER BY score DESC LIMIT 20" \
	"SELECT path FROM ernie_search('茶', 20, 'vector')"
check 'ORDER BY score' same "SELECT rank FROM ernie_search('茶', NULL, 'vector') ORDER BY score LIMIT 1" "SELECT $n"
check 'ORDER BY rank DESC' same "SELECT rank FROM ernie_search('茶') ORDER BY rank DESC LIMIT 1" \
	"SELECT $n"
check 'questions of a table' gives "$work/docs/ai.txt
$work/docs/bread.txt
$work/docs/tea.txt" \
	"CREATE TABLE questions (id INTEGER PRIMARY KEY, text)" \
	"INSERT INTO questions (text) VALUES ('人工智能'), ('how to bake'), (NULL), ('green tea')" \
	"SELECT s.path FROM questions q, ernie_search(q.text, 1) s ORDER BY q.id"
check 'questions, the table first' gives 3 \
	"SELECT count(*) FROM ernie_search s JOIN questions q ON s.query = q.text WHERE s.k = 1"
check 'correlated' gives 6 \
	"SELECT sum((SELECT count(*) FROM ernie_search(q.text, 2))) FROM questions q"
check 'IN' gives 4 "SELECT count(*) FROM ernie_search WHERE query IN ('茶', '面包') AND k = 2"
check 'two at once' gives $((n * n)) \
	"SELECT count(*) FROM ernie_search('茶') a, ernie_search('面包') b"
check 'NULL query' gives 0 'SELECT count(*) FROM ernie_search(NULL)'
check 'NULL k' gives $n "SELECT count(*) FROM ernie_search('茶', NULL)"
check 'no query' refuses 'give a query' 'SELECT * FROM ernie_search'
check 'no query but k' refuses 'give a query' 'SELECT * FROM ernie_search WHERE k = 3'
check 'k -1' refuses 'k must be 1 or more' "SELECT * FROM ernie_search('茶', -1)"
check 'no such mode of the table' refuses 'mode must be hybrid' "SELECT * FROM ernie_search('茶', 1, 2)"
check 'four arguments' refuses 'too many arguments' \
	"SELECT * FROM ernie_search('茶', 1, 'vector', 2)"
check 'an empty query' refuses 'query: empty' "SELECT * FROM ernie_search('')"
check 'the table cannot be written' refuses 'may not be modified' 'DELETE FROM ernie_search'
check 'nor created' refuses 'no such module' 'CREATE VIRTUAL TABLE t USING ernie_search'
check 'search is refused in views' refuses 'unsafe use' \
	"CREATE VIEW hidden AS SELECT * FROM ernie_search('茶')" 'SELECT * FROM hidden'
check 'the function, too' refuses 'unsafe use' \
	"CREATE VIEW hidden2 AS SELECT ernie_search('茶')" 'SELECT * FROM hidden2'
sql 'DROP VIEW hidden' 'DROP VIEW hidden2'

# ---- vectors as BLOBs and as JSON
check 'distance is 1 - similarity' gives '1|0.0|1.0|2.0' \
	"SELECT ernie_distance('茶', 'tea') = 1 - ernie_similarity('茶', 'tea'),
	 ernie_distance(x'0000803f00000000', x'0000003f00000000'),
	 ernie_distance(x'0000803f00000000', x'0000000000000040'),
	 ernie_distance(x'0000803f00000000', x'000080bf00000000')"
check 'distance of NULL' gives '1|1' \
	"SELECT ernie_distance(NULL, 'a') IS NULL, ernie_distance(x'0000803f', NULL) IS NULL"
check 'vectors of two lengths have no distance' refuses 'ernie_distance: vectors of different lengths, 1 and 2' \
	"SELECT ernie_distance(x'0000803f', x'0000803f00000000')"
check 'an empty BLOB is no vector' refuses 'ernie_distance: a BLOB of 0 bytes' \
	"SELECT ernie_distance(x'', x'')"
check 'a vector to JSON and back' gives '[1,0.5]|0000803F0000003F|1' \
	"SELECT ernie_vector_to_json(x'0000803f0000003f'),
	 hex(ernie_vector_from_json(' [1, 5e-1] ')),
	 ernie_vector_from_json(ernie_vector_to_json(v)) = v FROM (SELECT ernie_embed('茶') v)"
check 'the JSON is JSON' gives "array|$dim" \
	"SELECT json_type(j), json_array_length(j) FROM (SELECT ernie_vector_to_json(ernie_embed('茶')) j)"
check 'JSON within JSON' gives '{"v":[1]}' "SELECT json_object('v', ernie_vector_to_json(x'0000803f'))"
check 'NULL is no vector' gives '1|1' \
	'SELECT ernie_vector_to_json(NULL) IS NULL, ernie_vector_from_json(NULL) IS NULL'
check 'JSON of a BLOB of a bad length' refuses '5 bytes' "SELECT ernie_vector_to_json(x'0000803f00')"
check 'JSON of a text' refuses 'not a BLOB' "SELECT ernie_vector_to_json('[1]')"
for json in '' '[]' '[1' '{"a":1}' '7' '[[1]]'; do
	check "no vector: $json" refuses 'vector: ' "SELECT ernie_vector_from_json('$json')"
done
check 'a vector of words' refuses 'element 1 is not a number' \
	"SELECT ernie_vector_from_json('[1, \"a\"]')"
check 'a number too large' refuses 'element 0 is not a number' \
	"SELECT ernie_vector_from_json('[1e39]')"
check 'a vector too long' refuses 'values' \
	"SELECT ernie_vector_from_json('[1' || replace(hex(zeroblob(70000)), '00', ',1') || ']')"
check 'two vectors need no model' gives 1.0 'PRAGMA trusted_schema = OFF' \
	"SELECT ernie_similarity(x'0000803f', x'00000040')"

# ---- ernie_embed_each
check 'each of an array' gives '0|一|1|1
1||1|1
2|3|1|1' "SELECT key, text, length(embedding) IS iif(text IS NULL, NULL, $((dim * 4))),
	 embedding IS ernie_embed(text) OR ernie_distance(embedding, ernie_embed(text)) < 1e-6
	 FROM ernie_embed_each('[\"一\", null, 3]')"
check 'each of an object, with numbers kept' gives 'a|20
b|20' "SELECT key, length(embedding) / 4 FROM ernie_embed_each('{\"a\":\"茶\",\"b\":\"水\"}', NULL, 20)"
check 'more than one batch, each in its place' gives '1500|1500|0' \
	"WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 1499),
	 e AS MATERIALIZED (SELECT * FROM ernie_embed_each((SELECT json_group_array(
	  iif(i % 3, 'text ' || (i % 7), NULL)) FROM c)))
	 SELECT count(*), sum(key = rowid_), sum(iif(key % 3,
	  ernie_distance(embedding, ernie_embed('text ' || (key % 7))) > 1e-6, embedding IS NOT NULL))
	 FROM (SELECT row_number() OVER () - 1 rowid_, * FROM e)"
check 'each of nothing' gives '0|0' \
	"SELECT (SELECT count(*) FROM ernie_embed_each('[]')), (SELECT count(*) FROM ernie_embed_each(NULL))"
check 'each of a column' gives 'a|茶
a|水
b|hot' "WITH t(id, j) AS (VALUES ('a', '[\"茶\",\"水\"]'), ('b', '[\"hot\"]'))
	 SELECT t.id, e.text FROM t, ernie_embed_each(t.j) e"
check 'each of no JSON' refuses 'ernie_embed_each: malformed JSON' \
	"SELECT * FROM ernie_embed_each('[\"a')"
check 'each of lists' refuses 'ernie_embed_each: element 1 is of type array' \
	"SELECT * FROM ernie_embed_each('[\"a\",[]]')"
check 'each without JSON' refuses 'give a JSON array' 'SELECT * FROM ernie_embed_each'
check 'each with a prompt that is not there' refuses 'no prompt of that name' \
	"SELECT * FROM ernie_embed_each('[\"a\"]', 'query')"
check 'each with too many numbers' refuses 'ernie_embed_each: dim' \
	"SELECT * FROM ernie_embed_each('[\"a\"]', NULL, $((dim + 1)))"

# ---- ernie_chunks, ernie_tokens
"$ernie" tokenize '深度学习推动AI进步' | tr '\t' '|' >first
check 'tokens as the command line has them' sql \
	"SELECT id, token FROM ernie_tokens('深度学习推动AI进步') ORDER BY ordinal"
check 'the same' cmp -s first out
check 'tokens of NULL' gives 0 'SELECT count(*) FROM ernie_tokens(NULL)'
check 'tokens of nothing' gives '[CLS][SEP]' "SELECT group_concat(token, '') FROM ernie_tokens('')"
check 'tokens without a text' refuses 'ernie_tokens: give a text' 'SELECT * FROM ernie_tokens'
long="replace(hex(zeroblob(300)), '00', '深度学习推动AI进步。今天晚上吃什么？')"
check 'chunks are where they say' gives 1 \
	"SELECT min(CAST(substr(CAST($long AS BLOB), start + 1, \"end\" - start) AS TEXT) = text)
	 FROM ernie_chunk_each($long)"
check 'chunks are in order and not long' gives '1|1|1' \
	"SELECT count(*) > 20, max(n_tokens) <= 200, min(ordinal) = 0 FROM ernie_chunk_each($long)"
check 'chunks of NULL and of nothing' gives '0|0' \
	"SELECT (SELECT count(*) FROM ernie_chunk_each(NULL)), (SELECT count(*) FROM ernie_chunk_each(' '))"
check 'chunks of each row' gives 'x|一二三
y|four' "WITH t(id, s) AS (VALUES ('x', '一二三'), ('y', ' four ')) SELECT id, text FROM t, ernie_chunk_each(s)"
"$sqlite" "$db" "SELECT start_byte, end_byte, text FROM ernie_chunks JOIN ernie_documents d
	ON d.id = document_id WHERE path = 'ai.txt'" >first
check 'chunks are those of indexing' sql \
	"SELECT start, \"end\", text FROM ernie_chunk_each(readfile('docs/ai.txt'))"
check 'they are' cmp -s first out
check 'where no table has the name, ernie_chunks is the same' run 0 env LD_PRELOAD="$preload" \
	"$sqlite" -batch -bail :memory: ".load $extension" "SELECT 1 / (text = '茶') FROM ernie_chunks('茶')"
check 'it is' [ "$(cat out)" = 1 ]
check 'tables of texts work in views that are not trusted' gives 3 'PRAGMA trusted_schema = OFF' \
	"CREATE VIEW t AS SELECT * FROM ernie_tokens('茶')" 'SELECT count(*) FROM t' 'DROP VIEW t'

# ---- ernie_info
check 'info' gives "$("$ernie" --version | cut -d' ' -f2)|1|null|$n|ernie-micro-zh-en" \
	"SELECT j ->> 'version', j ->> 'sqlite' = sqlite_version(), j -> 'model', j ->> '\$.collection.documents',
	 j ->> '\$.collection.model' FROM (SELECT ernie_info() j)"
check 'info of an open model' gives "|$dim|ernie-micro-zh-en" \
	"SELECT iif(length(ernie_embed('a')), '', ''), j ->> '\$.model.dim', j ->> '\$.model.name'
	 FROM (SELECT ernie_info() j WHERE length(ernie_embed('茶')))"
check 'info is not for views' refuses 'unsafe use' "CREATE VIEW i AS SELECT ernie_info()" \
	'SELECT * FROM i'
sql 'DROP VIEW i'

# ---- beside sqlite-vec, from PyPI
vec=$(python3 -c 'import sqlite_vec; print(sqlite_vec.loadable_path())' 2>/dev/null)
if [ -n "$vec" ] && [ -z "$preload" ]; then
	check 'sqlite-vec: the same distances' gives 1 ".load $vec" \
		"SELECT max(abs(vec_distance_cosine(a.vector, b.vector) -
		 ernie_distance(a.vector, b.vector))) < 1e-5
		 FROM ernie_embeddings a, ernie_embeddings b WHERE a.chunk_id < b.chunk_id AND b.chunk_id < 60"
	check 'sqlite-vec: knows our BLOBs by their subtype' gives "float32|$dim" ".load $vec" \
		"SELECT vec_type(ernie_embed('茶')), vec_length(ernie_vector_from_json(vec_to_json(ernie_embed('茶'))))"
	check 'sqlite-vec: the same ten nearest' gives '10|1' ".load $vec" \
		"CREATE VIRTUAL TABLE temp.v USING vec0(embedding float[$dim] distance_metric=cosine)" \
		'INSERT INTO v(rowid, embedding) SELECT chunk_id, vector FROM ernie_embeddings' \
		"SELECT count(*), min(abs(v.distance - (1 - s.score)) < 1e-5) FROM v
		 JOIN (SELECT chunk_id, score FROM ernie_search('机器学习和图像', 10)) s ON s.chunk_id = v.rowid
		 WHERE v.embedding MATCH ernie_embed('机器学习和图像') AND v.k = 10"
	check 'sqlite-vec: a batch of ours in it' gives '绿茶' ".load $vec" \
		"CREATE VIRTUAL TABLE temp.v USING vec0(embedding float[$dim] distance_metric=cosine)" \
		"INSERT INTO v(rowid, embedding) SELECT key, embedding
		 FROM ernie_embed_each('[\"火车\",\"绿茶\",\"深度学习\"]')" \
		"SELECT e.text FROM v JOIN ernie_embed_each('[\"火车\",\"绿茶\",\"深度学习\"]') e ON e.key = v.rowid
		 WHERE v.embedding MATCH ernie_embed('a cup of tea') AND v.k = 1"
else
	echo 'skipped: no sqlite-vec (pip install sqlite-vec)'
fi

# ---- with the host
check 'inside of a transaction, which stays' gives "$n
1
0" 'CREATE TABLE mine (x)' 'BEGIN' 'INSERT INTO mine VALUES (1)' \
	"SELECT count(*) FROM ernie_search('茶')" 'SELECT count(*) FROM mine' 'ROLLBACK' \
	'SELECT count(*) FROM mine'
check 'a document deleted in SQL is not found, and is again after ROLLBACK' gives "tea.txt
0
tea.txt" "SELECT replace(path, '$work/docs/', '') FROM ernie_search('绿茶水温', 1)" \
	'BEGIN' "DELETE FROM ernie_documents WHERE path = 'tea.txt'" \
	"SELECT count(*) FROM ernie_search('绿茶水温') WHERE path LIKE '%/tea.txt'" 'ROLLBACK' \
	"SELECT replace(path, '$work/docs/', '') FROM ernie_search('绿茶水温', 1)"
echo '月亮绕着地球转。' >docs/moon.txt
check 'what another process adds is found by a connection that is open' gives "$n
$((n + 1))
$work/docs/moon.txt" "SELECT count(*) FROM ernie_search('月球')" \
	".shell '$ernie' index docs --db '$db' >index.out 2>&1" \
	"SELECT count(*) FROM ernie_search('月球')" "SELECT path FROM ernie_search('月球', 1)"
check 'one connection, two databases after each other' gives "$((n + 1))
$((n + 1))" "SELECT count(*) FROM ernie_search('茶')" ".open $db" ".load $extension" \
	"SELECT count(*) FROM ernie_search('茶')"
cp "$db" still.db
chmod 400 still.db
db=$work/still.db
check 'read-only' gives 2 'PRAGMA query_only = ON' "SELECT count(*) FROM ernie_search('茶', 2)"
db=$work/other.db
check 'no collection' refuses 'ernie index' "SELECT ernie_search('茶')"
check 'no collection, the table' refuses 'ernie index' "SELECT * FROM ernie_search('茶')"
db=:memory:
check 'no collection in memory' refuses 'ernie index' "SELECT ernie_search('茶')"
db=$work/a.db
ERNIE_MODEL=$work/nowhere
check 'no model' refuses 'nowhere' "SELECT ernie_embed('茶')"
check 'no model, search' refuses 'nowhere' "SELECT ernie_search('茶')"
check 'no model, the table' refuses 'nowhere' "SELECT * FROM ernie_search('茶')"
check 'no model is needed for the rest' sql 'SELECT ernie_version()'
ERNIE_MODEL=$model

# ---- leaks, of answers and of errors
# leaks STATEMENT...: whether memory is left behind by them.
leaks() {
	for try in 1 2 3 4 5; do
		ASAN_OPTIONS=detect_leaks=1
		sql "$@"
		ASAN_OPTIONS=detect_leaks=0
		grep -q 'LeakSanitizer has encountered' err || break
	done
	grep -q 'Sanitizer' err
}
if [ -n "$preload" ]; then
	for statement in "SELECT ernie_search('茶')" "SELECT ernie_search('')" \
		"SELECT ernie_embed('茶'), ernie_similarity('茶', '水')" "SELECT ernie_embed('茶', 'query')" \
		"SELECT ernie_similarity('a', x'00')" "SELECT ernie_distance(x'00', 'a')" \
		"SELECT ernie_vector_to_json(ernie_embed('a')), ernie_vector_from_json('[1]')" \
		"SELECT ernie_vector_from_json('[1, 2')" "SELECT ernie_vector_from_json('[1, null]')" \
		"SELECT * FROM ernie_embed_each('[\"a\",null,1]')" "SELECT * FROM ernie_embed_each('[[]]')" \
		"SELECT * FROM ernie_embed_each('[\"a\",') LIMIT 1" "SELECT * FROM ernie_tokens('茶') LIMIT 1" \
		"SELECT * FROM ernie_chunk_each('茶')" 'SELECT * FROM ernie_chunk_each' 'SELECT ernie_info()' \
		"SELECT path FROM ernie_search('茶') LIMIT 100" "SELECT * FROM ernie_search('茶', -1)" \
		"SELECT * FROM ernie_search" \
		"SELECT raise FROM (SELECT abs(-9223372036854775807 - (rank > 70)) raise
		 FROM ernie_search('茶'))"; do
		! leaks "$statement"
		check "no leak by $statement" [ $? = 0 ]
	done
	for db in "$work/other.db" "$work/index.out"; do
		! leaks "SELECT ernie_search('茶')" "SELECT * FROM ernie_search('茶')"
		check "no leak in $db" [ $? = 0 ]
	done
	db=$work/a.db
fi

# ---- examples/search.sql, where it says .load ./ernie
check 'index the example documents' run 0 "$ernie" index "$documents" --db "$work/examples.db"
check 'the example' run 0 sh -c "cd '$build' && LD_PRELOAD=$preload '$sqlite' -batch -bail \
	'$work/examples.db' <'$(dirname "$documents")/search.sql'"
check 'the example gives JSON, then rows' grep -q '^\[{"rank":1,' out
check 'the example ends with a number' sh -c "tail -n 1 out | grep -qx '0\.[0-9]*'"
check 'the example says nothing else' [ ! -s err ]

# ---- another host: Python's own
python=/usr/bin/python3
if [ -z "$preload" ] && [ -x $python ] &&
	$python -c 'import sqlite3; sqlite3.Connection.enable_load_extension' 2>/dev/null; then
	cat >host.py <<-'END'
	import gc, sqlite3, sys, threading

	def search(n):
	    for _ in range(3):
	        connection = sqlite3.connect(sys.argv[1])
	        connection.enable_load_extension(True)
	        connection.load_extension(sys.argv[2])
	        rows = connection.execute("SELECT path FROM ernie_search(?) LIMIT 80", ("人工智能",)).fetchall()
	        assert len(rows) == 80 and rows[0][0].endswith("ai.txt"), rows[:2]
	        cursor = connection.execute("SELECT path FROM ernie_search('茶')")
	        cursor.fetchone()  # left in the middle
	        del cursor
	        connection.close()
	    n.append(1)

	done = []
	threads = [threading.Thread(target=search, args=(done,)) for _ in range(4)]
	for t in threads: t.start()
	for t in threads: t.join()
	gc.collect()
	assert len(done) == 4
	END
	check 'Python, four threads' run 0 $python host.py "$db" "$extension"
else
	echo 'skipped: no Python that loads extensions'
fi

finish
