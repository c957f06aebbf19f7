#!/bin/sh
# The command line: what it prints where, and how it exits.
. "${srcdir:-.}/tests/cli.sh"
cd "$work" || exit 99

# ---- help and mistakes
check 'version' run 0 "$ernie" --version
check 'version is one line' grep -qx 'ernie [0-9.]*' out
check 'help' run 0 "$ernie" --help
check 'help fits 80 columns' awk 'length > 80 { exit 1 }' out
for command in index watch search open remove status verify rebuild embed similarity tokenize model bench classify rerank; do
	check "help lists $command" grep -q "^  $command " out
done
for command in index watch search open embed tokenize model bench classify rerank; do
	check "$command --help" run 0 "$ernie" $command --help
	check "$command --help fits 80 columns" awk 'length > 80 { exit 1 }' out
	run 0 "$ernie" --help
done
check 'no command' run 2 "$ernie"
check 'unknown command' run 2 "$ernie" frobnicate
check 'unknown command says so' one_line_error 'frobnicate: no such command'
check 'unknown option' run 2 "$ernie" search --frob x
check 'unknown option says so' one_line_error -- '--frob: no such option'
check 'k is a number' run 2 "$ernie" search -k none x
check 'k is a number, said' one_line_error 'not a number of 1 or more'
check 'format is a known one' run 2 "$ernie" search --format xml x
check 'format is a known one, said' one_line_error 'not one of: text json jsonl'
check 'index needs a path' run 2 "$ernie" index
check 'search needs a query' run 2 "$ernie" search
check 'search before index' run 2 "$ernie" search x
check 'search before index says how' one_line_error 'ernie index PATH'
check 'search made no file' test ! -e data

# ---- index
check 'index' run 0 "$ernie" index "$documents"
check 'index prints no result' test ! -s out
check 'index reports' grep -q '^14 added; [0-9]* passages embedded in' err
check 'own database is under XDG_DATA_HOME' test -s data/ernie/ernie.db
check 'index again' run 0 "$ernie" index "$documents"
check 'index again embeds nothing' grep -q '^0 added, 14 unchanged; 0 passages' err
check 'index of a missing folder' run 2 "$ernie" index "$work/none"
check 'index of a missing folder says so' one_line_error 'none: No such file or directory'
cp -r "$documents/notes" drive
check 'index a drive' run 0 "$ernie" index --db drive.db drive
mv drive away
check 'index a drive that is not there' run 0 "$ernie" index --db drive.db drive
check 'its documents are kept, said' grep -q "drive: is not there, so its 4 documents are kept; .ernie index --prune. removes them" err
check 'its documents are kept, counted' grep -q '^0 added, 4 kept; 0 passages' err
mkdir drive
check 'index where a drive was' run 0 "$ernie" index --db drive.db drive
check 'its documents are kept, said too' grep -q "drive: is empty, so its 4 documents are kept" err
rmdir drive
mv away moved
check 'index a folder that was renamed' run 0 "$ernie" index --db drive.db .
check 'nothing is embedded again' grep -q '4 moved.*; [0-9]* passages' err
rm -r moved
check 'index --prune' run 0 "$ernie" index --db drive.db --prune moved
check 'index --prune removes' grep -q '^0 added, 4 removed; 0 passages' err
check 'index --prune of nothing' run 2 "$ernie" index --db drive.db --prune moved
check 'index into no folder' run 2 "$ernie" index --db none/x.db "$documents"
check 'index into no folder says so' one_line_error none/x.db
check 'index --exclude' run 0 "$ernie" index --db e.db --exclude '*.md' --exclude web "$documents"
check 'index --exclude leaves out' grep -q '^4 added' err

# ---- open
check 'open before a search' env XDG_STATE_HOME="$work/none" sh -c '"$1" open 1 2>&1 | grep -q "no search yet"' - "$ernie"
check 'search for open' run 0 "$ernie" search -k 2 数据库备份
check 'what was shown is for the user alone' test "$(stat -c %a "$XDG_STATE_HOME/ernie/hits")" = 600
check 'open --print' run 0 "$ernie" open --print 1
check 'open --print names the file' grep -qx "xdg-open $documents/工作/服务器备份.md" out
mkdir viewers
printf '#!/bin/sh\n[ "$1" = query ] && echo org.gnome.Evince.desktop || echo "$0 $*" >>%s/opened\n' "$work" >viewers/xdg-open
cp viewers/xdg-open viewers/xdg-mime; cp viewers/xdg-open viewers/evince
chmod +x viewers/*
check 'open' env PATH="$work/viewers:$PATH" "$ernie" open 1
check 'open gave the file to xdg-open' grep -qx "$work/viewers/xdg-open $documents/工作/服务器备份.md" opened
printf '12 %s/a.pdf\n3 %s/a.pdf/inside/b.txt\n0 %s/gone.txt\n' "$work" "$work" "$work" >"$XDG_STATE_HOME/ernie/hits"
: >a.pdf
check 'open at a page' env PATH="$work/viewers:$PATH" "$ernie" open 1
check 'open at a page tells the viewer' grep -qx "$work/viewers/evince --page-index=12 $work/a.pdf" opened
check 'open a member opens its container' env PATH="$work/viewers:$PATH" "$ernie" open --print 2
check 'open what is gone' run 2 "$ernie" open 3
check 'open what is gone says so' one_line_error 'gone.txt: No such file or directory'
check 'open past the last' run 2 "$ernie" open 4
check 'open past the last says so' one_line_error 'the last search showed 3 hits'
check 'open no number' run 2 "$ernie" open one
check 'open no number says so' one_line_error 'not the number of a hit'

# ---- search
check 'search' run 0 "$ernie" search -k 3 人工智能
check 'search finds' grep -q '^ 1  0\.[0-9]* .*人工智能简史.md:[0-9]*  人工智能简史$' out
check 'search prints no more than asked' test "$(grep -c '^ [0-9]' out)" = 3
check 'search --mode vector' run 0 "$ernie" search --mode vector -k 14 人工智能
check 'search --mode vector finds all' test "$(grep -c '^[ 1][0-9]  ' out)" = 14
check 'search --mode keyword' run 0 "$ernie" search --mode keyword -k 14 绿茶
check 'search --mode keyword finds what has it' test "$(grep -c '^[ 1][0-9]  ' out)" -lt 14
check 'search --mode of no mode' run 2 "$ernie" search --mode fuzzy x
check 'search --explain' run 0 "$ernie" search --explain -k 1 人工智能
check 'search --explain, explained' grep -q '^    cosine 0\.[0-9]* (rank 1), words [0-9.]* (rank 1), together' out
check 'search without a word' run 0 "$ernie" search -k 14 --json '茶 -绿茶'
check 'search without a word, found none with it' sh -c '! grep -q 绿茶 out'
check 'search crosses languages' run 0 "$ernie" search history of artificial intelligence -k 1
check 'search crosses languages, found' grep -q 人工智能简史.md out
check 'search of a type' run 0 "$ernie" search -k 30 --type text,csv 人工智能
check 'search of a type, found' test "$(grep -c '\.md:' out)" = 0
check 'search of no such type' run 2 "$ernie" search --type txt 人工智能
check 'search before a day' run 1 "$ernie" search --before 1990 人工智能
check 'search since a day' run 0 "$ernie" search --after 1990-01-01 人工智能
check 'search in a file' run 0 "$ernie" search --json --in "$documents/笔记/人工智能简史.md" 茶
check 'search in a file, found' test "$(grep -c '"rank":2' out)" = 0
mkdir -p "$work/garden"
for i in 1 2 3 4 5 6 7 8 9; do
	printf '# 第%d章\n\n第%d天在花园里种玫瑰，浇水施肥，剪去枯枝，等着春天开花。\n\n' $i $i
done >"$work/garden/roses.md"
check 'index for places' run 0 "$ernie" index --db "$work/garden.db" "$work/garden"
printf '玫瑰是什么颜色。\n' >"$work/garden/other.txt"
check 'index for places, another' run 0 "$ernie" index --db "$work/garden.db" "$work/garden"
check 'search tells of more passages' run 0 "$ernie" search --db "$work/garden.db" 在花园里种玫瑰
check 'search tells of more passages, where' grep -q '^    8 more passages: lines [0-9]*, [0-9]*, [0-9]*, [0-9]*, [0-9]*, …$' out
check 'search --chunks tells of none' run 0 "$ernie" search --db "$work/garden.db" --chunks 在花园里种玫瑰
check 'search --chunks tells of none, indeed' sh -c '! grep -q "more passage" out'
check 'GB18030 is read' run 0 "$ernie" search -k 1 血压高的人怎么吃
check 'GB18030 is read, found' grep -q '饮食.html.*高血压患者的饮食建议' out
check 'Big5 is read' run 0 "$ernie" search -k 1 台风来之前做什么准备
check 'Big5 is read, found' grep -q '颱風.txt' out
check 'script and style are not text' run 0 "$ernie" search -k 1 --format json write-ahead log
check 'script and style are not text, seen' sh -c '! grep -q "console.log\|max-width" out'
check 'json is an array with all fields' sh -c '
	sqlite3 :memory: "SELECT count(*) FROM json_each(readfile('"'out'"')) WHERE
	json_type(value, '"'$.rank'"') = '"'integer'"' AND json_type(value, '"'$.score'"') = '"'real'"' AND
	json_type(value, '"'$.path'"') = '"'text'"' AND json_type(value, '"'$.title'"') = '"'text'"' AND
	json_type(value, '"'$.line'"') = '"'integer'"' AND json_type(value, '"'$.snippet'"') = '"'text'"' AND
	json_type(value, '"'$.document_id'"') = '"'integer'"' AND
	json_type(value, '"'$.chunk_id'"') = '"'integer'"'" | grep -qx 1'
check '--json is --format json' run 0 "$ernie" search -k 1 --json write-ahead log
check 'jsonl is a line a hit' run 0 "$ernie" search -k 4 --format jsonl 茶
check 'jsonl is a line a hit, counted' test "$(wc -l <out)" = 4
check 'empty query' run 2 "$ernie" search ''
check 'empty query says so' one_line_error 'query: empty'
check 'query of 1 MB' sh -c 'head -c 1000000 /dev/zero | tr "\0" "a" >long &&
	"$0" search --queries long -k 1 >out 2>err' "$ernie"
printf '人工智能\n\nhow to bake bread\n' >queries
check 'queries' run 0 "$ernie" search --queries queries -k 2 --format jsonl
check 'a line an answer' test "$(wc -l <out)" = 3
check 'an empty line has no hits' sh -c 'sed -n 2p out | grep -qx "{\"query\":\"\",\"hits\":\[\]}"'
check 'the third is answered' sh -c 'sed -n 3p out | grep -q sourdough.md'
check 'queries from standard input' sh -c '"$0" search --queries - -k 1 <queries >out' "$ernie"
check 'both kinds of query' run 2 "$ernie" search --queries queries x
check 'missing queries' run 2 "$ernie" search --queries none
mkdir empty
check 'index nothing' run 0 "$ernie" index --db empty.db empty
check 'nothing found' run 1 "$ernie" search --db empty.db x
check 'nothing found prints nothing' test ! -s out
check 'nothing found in json' run 1 "$ernie" search --db empty.db --format json x
check 'nothing found in json is []' grep -qx '\[\]' out

# ---- the other commands
check 'embed' run 0 "$ernie" embed --format json 茶 tea
check 'embed gives two vectors of 384' sh -c 'sqlite3 :memory: "SELECT group_concat(json_array_length(value)) FROM json_each(readfile('"'out'"'))" | grep -qx 384,384'
printf '茶\ntea\n\n' >texts
check 'embed --input jsonl' run 0 "$ernie" embed --input texts --format jsonl
check 'embed: a line a line' test "$(wc -l <out)" = 3
check 'embed f32' run 0 "$ernie" embed --input texts --format f32
check 'embed f32 has 4 bytes a number' test "$(wc -c <out)" = $((3 * 384 * 4))
check 'embed of nothing' sh -c '"$0" embed </dev/null | grep -qx "\[\]"' "$ernie"
check 'embed says what it cuts' sh -c 'yes 中文 | head -2000 | tr -d "\n" | "$0" embed >/dev/null 2>err &&
	grep -q "1 text is longer than the model.s 512 tokens" err' "$ernie"
mkdir prompted && cp -r "$models/ernie-micro-zh-en/." prompted && chmod -R u+w prompted
echo '{"prompts": {"query": "问题：", "passage": "文字："}}' >prompted/config_sentence_transformers.json
check 'ERNIE_THREADS counts' run 2 env ERNIE_THREADS=x "$ernie" embed 茶
check 'a wrong ERNIE_THREADS is named' one_line_error 'ERNIE_THREADS x'
check '--threads goes before it' run 0 env ERNIE_THREADS=x "$ernie" embed --threads 1 茶
check 'embed --prompt' run 0 "$ernie" embed -m prompted --prompt query --format f32 茶
mv out one
check 'embed --prompt puts the prompt first' run 0 "$ernie" embed -m prompted --format f32 问题：茶
check 'embed --prompt puts the prompt first: the same' cmp -s one out
check 'embed --prompt by another name' run 0 "$ernie" embed -m prompted --prompt document --format f32 茶
check 'embed --prompt by another name: not the same' sh -c '! cmp -s one out'
check 'embed --prompt that is not there' run 2 "$ernie" embed -m prompted --prompt code 茶
check 'embed --prompt that is not there, said' one_line_error '--prompt code: the model has no prompt of that name'
check 'embed --dim' run 0 "$ernie" embed --dim 20 --input texts --format f32
check 'embed --dim has so many numbers' test "$(wc -c <out)" = $((3 * 20 * 4))
check 'embed --dim too large' run 2 "$ernie" embed --dim 385 茶
check 'embed --dim too large, said' one_line_error "--dim 385: the model's vectors have 384 numbers"
check 'index --dim' run 0 "$ernie" index --db short.db --dim 64 "$documents"
check 'search in vectors that are cut' run 0 "$ernie" search --db short.db 人工智能
check 'index again without --dim' run 0 "$ernie" index --db short.db "$documents"
check 'status says so' run 0 "$ernie" status --db short.db
check 'status says so: text' grep -q '64 first numbers a vector' out
check 'status --json says so' run 0 "$ernie" status --db short.db --json
check 'status --json says so: both' grep -q '"dim":64,"model_dim":384,' out
check 'index with another --dim' run 2 "$ernie" index --db short.db --dim 32 "$documents"
check 'index with another --dim says what to do' one_line_error 'embed again with `ernie rebuild --embeddings --dim 32`'
check 'rebuild --dim alone' run 2 "$ernie" rebuild --db short.db --dim 32
check 'rebuild --embeddings --dim' run 0 "$ernie" rebuild --db short.db --embeddings --dim 32
check 'rebuild --embeddings --dim: status' sh -c '"$0" status --db short.db | grep -q "32 first"' "$ernie"
check 'rebuild --embeddings --dim: verify' run 0 "$ernie" verify --db short.db
check 'similarity' run 0 "$ernie" similarity 人工智能的发展 深度学习推动AI进步
check 'similarity is as the model says' grep -qx '0\.5[0-9]*\|0\.6[0-9]*' out
check 'similarity needs two' run 2 "$ernie" similarity a
check 'embed --tokens' run 0 "$ernie" embed --tokens --format jsonl 苹果好吃
check 'embed --tokens says where' grep -q '^{"text":"苹果好吃",.*{"id":[0-9]*,"token":"果","start":3,"end":6,"vector":\[' out
check 'embed --tokens f32' run 0 "$ernie" embed --tokens --format f32 苹果好吃
check 'embed --tokens f32 has six vectors' test "$(wc -c <out)" = $((6 * 384 * 4))
check 'embed --tokens --dim' run 2 "$ernie" embed --tokens --dim 3 苹果好吃

# ---- classifiers
check 'classify' run 0 "$ernie" classify -m "$data/roformer-cls" 一丁 丂七
check 'classify says a label' grep -q '^0\.[0-9]*  tech "news"  丂七$' out
printf '一丁\t丂七\n丄丅\t\n' >pairs
check 'classify --pairs' run 0 "$ernie" classify -m "$data/bert-cls" --pairs --input pairs --json
check 'classify --pairs, json' grep -q '"pair":"丂七","label":"LABEL_[01]","score":.*"logits":{' out
check 'classify --pairs needs pairs' run 2 "$ernie" classify -m "$data/bert-cls" --pairs 一丁
check 'classify by what is no classifier' run 2 "$ernie" classify 茶
check 'classify by what is no classifier, said' one_line_error 'has no head that classifies'
check 'rerank' run 0 "$ernie" rerank -m "$data/bert-rerank" 一丁 texts
check 'rerank, best first' sh -c 'sort -s -k 2,2gr out | cmp -s - out && test "$(wc -l <out)" = 3'
check 'rerank by what is no cross-encoder' run 2 "$ernie" rerank 茶 texts
check 'rerank by what is no cross-encoder, said' one_line_error 'is no cross-encoder'
check 'model show of a classifier' run 0 "$ernie" model show "$data/roformer-cls"
check 'model show of a classifier says what it is' sh -c '
	grep -q "^type  *roformer$" out && grep -q "^positions  *rotary$" out &&
	grep -q "^head  *single_label_classification, 3 labels$" out'
check 'search --rerank' run 0 "$ernie" search --rerank "$data/bert-rerank" -k 5 --format jsonl 人工智能
check 'search --rerank, best first' sh -c '
	sed "s/.*\"rerank_score\":\([-0-9.e]*\),.*/\1/" out >scores
	sort -gr scores | cmp -s - scores && test "$(wc -l <scores)" = 5'
check 'search --rerank with what cannot' run 2 "$ernie" search --rerank "$data/bert-cls" 人工智能

check 'tokenize' run 0 "$ernie" tokenize '人工智能 AI'
check 'tokenize begins and ends' sh -c 'head -1 out | grep -q "CLS" && tail -1 out | grep -q "SEP"'
check 'tokenize json' run 0 "$ernie" tokenize --json --pair b a
check 'tokenize json has types' grep -q '"token_type_ids":\[0,0,0,1,1\]' out

# ---- model
check 'model show' run 0 "$ernie" model show
check 'model show: architecture' grep -q '^architecture   4 layers, hidden 384, 12 heads, feed-forward 1536$' out
check 'model show: precision' grep -q '^parameters     15.6 million, int8, 16.4 MB$' out
check 'model show json' run 0 "$ernie" model show --json
check 'model show json: fingerprint' grep -qE '"fingerprint":"[0-9a-f]{32}"' out
check 'model show of nothing' run 2 "$ernie" model show /nowhere
check 'model show of nothing, said' one_line_error '/nowhere/config.json'
small=$models/../tests/data/encoder/bert-f32
check 'model convert' run 0 "$ernie" model convert "$small" half --dtype f16
check 'model convert: report' grep -qE '^half: [0-9]+ tensors, 0 left out$' out
check 'model convert: half the size' sh -c '
	test $(($(stat -c %s half/model.safetensors) * 2)) -lt $(($(stat -L -c %s "$0"/model.safetensors) + 9000))' "$small"
check 'model convert: the new one embeds' run 0 "$ernie" embed --model half 茶
check 'model convert to what is none' run 2 "$ernie" model convert "$small" half2 --dtype f8
check 'model convert to what is none, said' one_line_error 'f32 f16 bf16'
check 'model convert over something' run 2 "$ernie" model convert "$small" half
check 'model convert over something, said' one_line_error 'half: exists already'
check 'model quantize' run 0 "$ernie" model quantize "$small" small
check 'model quantize: report' grep -qE '^cosine +mean 0.99' out
check 'model quantize: the new one is int8' sh -c '"$0" model show small | grep -q "int8"' "$ernie"
check 'model quantize: the new one embeds' run 0 "$ernie" embed --model small 茶
check 'model quantize over something' run 2 "$ernie" model quantize "$small" small
check 'model quantize over something, said' one_line_error 'small: exists already'
check 'model quantize of int8' run 2 "$ernie" model quantize small small2
check 'model quantize of int8, said' one_line_error 'int8 already'
check 'model quantize by texts' run 0 "$ernie" model quantize "$small" small3 --calibrate texts
check 'model of nothing' run 2 "$ernie" model
check 'model of nothing, said' one_line_error 'show, convert, quantize'
check 'model add-tokens' run 0 "$ernie" model add-tokens "$small" grown 深度检索 GraphRAG 丆
check 'model add-tokens says how many' grep -qx 'grown: 2 tokens added' out
check 'model add-tokens says what was there' grep -q '^ernie: 丆: the model has it already$' err
check 'model add-tokens: a word is a token' run 0 "$ernie" tokenize --model grown GraphRAG深度检索
check 'model add-tokens: two are' sh -c 'grep -q GraphRAG out && grep -q 深度检索 out'
check 'model add-tokens over something' run 2 "$ernie" model add-tokens "$small" grown x
check 'model add-tokens over something, said' one_line_error 'grown: exists already'
check 'model add-tokens of none' run 2 "$ernie" model add-tokens "$small" grown2
check 'model add-tokens of none, said' one_line_error 'and tokens'

# ---- bench
check 'bench encode' run 0 "$ernie" bench encode --input texts --threads 2
check 'bench encode: speed' grep -qE '^speed +[1-9][0-9]* tokens/s, [0-9]*[1-9][0-9]*\.[0-9] texts/s' out
check 'bench encode: latency on one thread and on all' sh -c '
	grep -qE "^  1 thread   p50 [0-9.]+ ms, p95 [0-9.]+ ms$" out && grep -qE "^  2 threads  p50 [0-9.]+ ms, p95" out'
check 'bench encode: memory' grep -qE '^memory +[1-9][0-9.]* MB' out
check 'bench encode: memory of the model, against its file' grep -qE '^  model +[0-9.]+ MB, [01]\.[0-9]+ times its file$' out
check 'bench encode json' run 0 "$ernie" bench encode --input texts --threads 2 --json
check 'bench encode json: every number is there and above 0' sh -c '
	sqlite3 :memory: "SELECT sum(value > 0), sum(type IN ('"'integer', 'real'"')) FROM json_each(readfile('"'out'"'))
	WHERE key IN ('"'threads', 'texts', 'tokens', 'tokens_per_s', 'texts_per_s', 'query_tokens', 'query_p50_ms',
	'query_p95_ms', 'query_p50_ms_one_thread', 'query_p95_ms_one_thread', 'open_ms', 'peak_rss_bytes',
	'weights_bytes', 'model_rss_bytes', 'encoder_rss_bytes'"')" | grep -qx "15|15"'
check 'bench encode json: counts' grep -q '"threads":2,"texts":3,"tokens":8,' out
check 'bench encode json: the query has 12 tokens' grep -q '"query_tokens":12,' out
check 'bench encode json: p95 is not below p50' sh -c '
	sqlite3 :memory: "SELECT readfile('"'out'"') ->> '"'query_p95_ms'"' >= readfile('"'out'"') ->> '"'query_p50_ms'"'" | grep -qx 1'
check 'bench encode json: memory is in bytes' sh -c '
	sqlite3 :memory: "SELECT readfile('"'out'"') ->> '"'peak_rss_bytes'"' > 10000000" | grep -qx 1'
check 'bench encode of its own texts' run 0 "$ernie" bench encode --threads 1
check 'bench encode of its own texts: 256' grep -q '^texts  *256, of ' out
check 'bench of nothing' run 2 "$ernie" bench
check 'bench of nothing says what there is' one_line_error 'give `encode`'
check 'bench of something else' run 2 "$ernie" bench decode
check 'bench of something else, said' one_line_error 'decode: not one of: encode quality'
check 'bench encode takes no text' run 2 "$ernie" bench encode 茶
check 'bench encode takes no text, said' one_line_error 'takes no operand'
check 'bench encode of an empty file' run 2 "$ernie" bench encode --input /dev/null
check 'bench encode of an empty file, said' one_line_error '/dev/null: no text in it'
check 'bench encode of no file' run 2 "$ernie" bench encode --input none.txt
check 'bench encode of no file, said' one_line_error 'none.txt: No such file'
# Two queries, two documents each: what vectors find, counted by hand from the hits.
"$ernie" search --mode vector --queries - -k 2 --format jsonl >two <<-'.'
	人工智能
	绿茶怎么泡
.
name() { sed -n "$1p" two | tr '{' '\n' | grep '"rank":'"$2," | sed 's/.*"path":"[^"]*\/\([^"/]*\)".*/\1/'; }
printf '{"_id":"a","text":"人工智能"}\n{"_id":"b","text":"绿茶怎么泡"}\n{"_id":"c","text":"没有答案"}\n' >questions
printf 'query-id\tcorpus-id\tscore\na\t%s\t1\nb\t%s\t1\nb\tnowhere\t1\n' "$(name 1 1)" "$(name 2 2)" >judged
check 'bench quality' run 0 "$ernie" bench quality --queries questions --qrels judged --mode vector
# a: all 1. b: nDCG (1/log2 3)/(1 + 1/log2 3) = 0.3869, MRR 1/2, recall 0, 1/2, 1/2. c: no answer.
check 'bench quality, as by hand' grep -qE '^vector +0.6934 +0.7500 +0.5000 +0.7500 +0.7500$' out
printf 'a\t人工智能\nb\t绿茶怎么泡\n' >questions
printf 'a 0 %s 1\nb 0 %s 1\nb 0 nowhere 1\n' "$(name 1 1)" "$(name 2 2)" >judged
check 'bench quality, the formats of TREC' run 0 "$ernie" bench quality --queries questions --qrels judged --json
check 'bench quality, the same' grep -q '"queries":2,.*"vector":{"ndcg_10":0.69343,' out
check 'bench quality without judgements' run 2 "$ernie" bench quality --queries questions
check 'bench quality of no judgement' run 2 "$ernie" bench quality --queries questions --qrels questions
check 'bench encode with no model' run 2 "$ernie" bench encode -m none
check 'bench encode --threads 0' run 2 "$ernie" bench encode --threads 0
check 'bench encode --format f32' run 2 "$ernie" bench encode --format f32
check 'status' run 0 "$ernie" status
check 'status counts' grep -qx 'documents  14' out
check 'status json' run 0 "$ernie" status --format json
check 'status json counts' grep -q '"documents":14,' out
check 'verify' run 0 "$ernie" verify
check 'rebuild' run 0 "$ernie" rebuild
check 'verify after rebuild' run 0 "$ernie" verify
check 'remove' run 0 "$ernie" remove "$documents/notes"
check 'removed' grep -q '^4 documents removed' err
check 'remove what is not there' run 1 "$ernie" remove "$documents/notes"
check 'index brings them back' run 0 "$ernie" index "$documents"
check 'four are back' grep -q '^4 added, 10 unchanged' err

# ---- faults
check 'missing model' run 2 "$ernie" search --model none x
check 'missing model says so' one_line_error 'none'
check 'model of ERNIE_MODEL' run 2 env ERNIE_MODEL=none "$ernie" search x
mkdir broken && echo '{"model_type": "ernie", "hidden_size": 0}' >broken/config.json
check 'broken model' run 2 "$ernie" similarity --model broken a b
check 'broken model names file and field' one_line_error 'broken/config.json: hidden_size'
echo text >text.db
check 'not a database' run 2 "$ernie" search --db text.db x
check 'not a database, said' one_line_error 'text.db'
check 'index into what is not a database' run 2 "$ernie" index --db text.db "$documents"
check 'it is left alone' grep -qx text text.db
check 'full standard output' sh -c '"$0" search 茶 >/dev/full 2>err; test $? = 2 && grep -q "standard output" err' "$ernie"
check 'a folder for a database' run 2 "$ernie" search --db empty x
check 'no home' run 2 env -u XDG_DATA_HOME -u HOME "$ernie" search x
check 'no home, said' one_line_error 'give --db FILE'

# A limit on file sizes stands for a full disk: what was reported stays.
mkdir many
for i in $(seq 400); do echo "Note $i is about the number $i and nothing else." >many/$i.txt; done
check 'file too large' sh -c '(ulimit -f 600; trap "" XFSZ; "$0" index --db full.db many) >out 2>err; test $? = 2' "$ernie"
check 'file too large, one line' test "$(wc -l <err)" = 1
check 'sound afterwards' run 0 "$ernie" verify --db full.db
check 'goes on when there is room' run 0 "$ernie" index --db full.db many
check 'all are there' sh -c '"$0" status --db full.db | grep -qx "documents  400"' "$ernie"

# ^C in the middle.
for i in $(seq 401 3000); do echo "Note $i is about the number $i and nothing else." >many/$i.txt; done
"$ernie" index --db int.db many >out 2>err &
pid=$!
while [ ! -s int.db-wal ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
sleep 0.3
kill -INT $pid
wait $pid
status=$?
check '^C exits with 2' test $status = 2
check '^C says how to go on' grep -q 'index: stopped; what was indexed stays' err
check '^C leaves a sound database' run 0 "$ernie" verify --db int.db
check 'index goes on' run 0 "$ernie" index --db int.db many
check 'all are there after ^C' sh -c '"$0" status --db int.db | grep -qx "documents  3000"' "$ernie"

# Nothing is ever sent or looked up: no socket is made.
if command -v strace >/dev/null && strace -e trace=none true 2>/dev/null; then
	strace -f -o trace -e trace=network "$ernie" search 茶 >/dev/null 2>&1
	check 'no network' sh -c '! grep -qE "socket\(AF_INET|connect\(" trace'
fi
finish
