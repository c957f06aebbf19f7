-- Run in a database made by `ernie index`:  sqlite3 notes.db < search.sql
.load ./ernie

-- The best hits as JSON.
SELECT ernie_search('人工智能', 3);

-- The same as rows, with whatever else SQL can say.
SELECT rank, round(score, 3) AS score, title, snippet
  FROM ernie_search('how do machines learn from examples')
 WHERE path LIKE '%.md'
 LIMIT 3;

-- Each question of a table with its best document.
WITH question(q) AS (VALUES ('出差住宿标准'), ('what if a pipe bursts'))
SELECT q, title, round(score, 3) FROM question, ernie_search(question.q, 1);

-- Many texts at once, and which of the documents is nearest to each.
SELECT e.text, s.title, round(ernie_distance(e.embedding, s.title), 2) AS distance
  FROM ernie_embed_each('["泡茶的水温", "baking bread"]') e, ernie_search(e.text, 1) s;

-- What the model makes of a text.
SELECT group_concat(token, ' ') FROM ernie_tokens('深度学习推动AI进步');
SELECT ordinal, n_tokens, substr(text, 1, 12) FROM ernie_chunk_each('第一句话。第二句话。');

-- What runs here.
SELECT ernie_info() ->> '$.collection.documents' AS documents;

-- How near two texts are.
SELECT round(ernie_similarity('人工智能的发展', '深度学习推动AI进步'), 2);
