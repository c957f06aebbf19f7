#!/bin/sh
# `ernie sql`: statements and commands by pipe, by argument and at a prompt.
. "${srcdir:-.}/tests/cli.sh"
tests=$(cd "$srcdir/tests" && pwd)
ERNIE_MODEL=$models/ernie-micro-zh-en
XDG_STATE_HOME=$work/state
export ERNIE_MODEL XDG_STATE_HOME
cd "$work" || exit 99
db=$work/a.db

# gives EXPECTED ARGUMENT...
gives() {
	wanted=$1
	shift
	run 0 "$ernie" sql --db "$db" "$@" && [ "$(cat out)" = "$wanted" ] && [ ! -s err ] && return 0
	echo "expected: $wanted"
	return 1
}

# piped STATUS EXPECTED TEXT: what standard input's text gives.
piped() {
	printf '%s' "$3" | "$ernie" sql --db "$db" >out 2>err
	[ $? = "$1" ] && [ "$(cat out)" = "$2" ] && return 0
	echo "expected: $2"
	return 1
}

check 'index' run 0 "$ernie" index "$documents" --db "$db"
check 'finds' gives '1|人工智能简史' \
	"SELECT rank, title FROM ernie_search('人工智能的历史') LIMIT 1"
check 'the functions' gives '1536|1.0|0.0' \
	"SELECT length(ernie_embed('a')), round(ernie_similarity('茶', '茶'), 5), ernie_distance('a', 'a')"
check 'several arguments' gives '1
2' 'SELECT 1' 'SELECT 2;'
check 'a model of its own' run 0 "$ernie" sql --db :memory: -m "$ERNIE_MODEL" "SELECT ernie_embed('a')"
check 'no such model' run 2 "$ernie" sql --db :memory: -m nowhere 'SELECT 1'
check 'one line' one_line_error nowhere

# ---- statements from a pipe
check 'over lines, the last semicolon left out' piped 0 '3
x;y' 'SELECT 1 +
  2;
SELECT '"'x;y'"
check 'two on a line' piped 0 '1
2' 'SELECT 1; SELECT 2;
'
check 'comments and commands' piped 0 '[{"b":2}]' '-- one
/* two */
.mode json
-- three
SELECT 2 AS b; -- four
'
check 'nothing' piped 0 '' ''
check 'rows asked for, none there' piped 1 '' 'SELECT 1 WHERE 0;'
check 'no rows asked for' piped 0 '' 'CREATE TABLE t(x); DROP TABLE t;'
check 'an error ends it' piped 2 1 'SELECT 1; SELEC 2; SELECT 3;'
check 'in one line' [ "$(cat err)" = 'ernie: stdin:1:11: near "SELEC": syntax error' ]
check 'an error further down' piped 2 '' 'SELECT 1,

  '"'中'"', ;'
check 'with line and column in characters' [ "$(cat err)" = 'ernie: stdin:3:8: near ";": syntax error' ]
check 'a statement that fails when it runs' piped 2 1 "SELECT 1;
SELECT abs(-9223372036854775807 - 1);"
check 'has its line' grep -q '^ernie: stdin:2:1: integer overflow$' err
check 'an error of ours' piped 2 '' "SELECT ernie_search('');"
check 'a 0 byte' sh -c "printf 'SELECT 1;\\0\\n' | '$ernie' sql --db :memory: 2>err; [ \$? = 2 ]"
check 'is told' grep -q '0 byte' err

# ---- commands
rows="SELECT 1 AS a, NULL AS 名称, '茶x' AS c, x'00ff' AS d UNION ALL SELECT 2.5, 'a,\"b', '', NULL"
check 'list' gives '1||茶x|00FF
2.5|a,"b||' "$rows"
check 'list with headers' gives 'a|名称|c|d
1||茶x|00FF
2.5|a,"b||' '.headers on' "$rows"
check 'csv' gives 'a,名称,c,d
1,,茶x,00FF
2.5,"a,""b",,' '.mode csv' '.headers on' "$rows"
check 'json' gives '[{"a":1,"名称":null,"c":"茶x","d":"00FF"},
{"a":2.5,"名称":"a,\"b","c":"","d":null}]' '.mode json' "$rows"
check 'json of no rows' run 1 "$ernie" sql --db :memory: '.mode json' 'SELECT 1 WHERE 0'
check 'is an array' [ "$(cat out)" = '[]' ]
check 'json of infinity' gives '[{"x":-1e999}]' '.mode json' 'SELECT -9e999 AS x'
check 'line' gives '   a = 1
名称 = NULL
   c = 茶x
   d = <2 bytes>' '.mode line' "$rows LIMIT 1"
check 'column' gives 'a    名称  c    d
---  ----  ---  ---------
1    NULL  茶x  <2 bytes>
2.5  a,"b       NULL' '.mode column' '.headers on' "$rows"
check 'box' gives '┌─────┬──────┬─────┬───────────┐
│ a   │ 名称 │ c   │ d         │
├─────┼──────┼─────┼───────────┤
│ 1   │ NULL │ 茶x │ <2 bytes> │
│ 2.5 │ a,"b │     │ NULL      │
└─────┴──────┴─────┴───────────┘' '.mode box' "$rows"
check 'a vector' gives '<384 floats>' '.mode column' "SELECT ernie_embed('a')"
check 'control characters cannot steer a terminal' gives 'a␛[2J␊b�' '.mode column' \
	"SELECT 'a' || char(27) || '[2J' || char(10) || 'b' || char(155)"
check 'more rows than are measured' gives '2500' '.mode column' \
	'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2500) SELECT max(i) FROM c'
check 'all of them' sh -c "'$ernie' sql --db :memory: '.mode box' 'WITH RECURSIVE c(i) AS (SELECT 1
	UNION ALL SELECT i + 1 FROM c WHERE i < 2500) SELECT i FROM c' | grep -c '│' | grep -qx 2501"
check 'tables' gives 'ernie_chunks' '.tables ernie_chunks'
check 'schema' gives 'CREATE TABLE t(x, y);
CREATE INDEX i ON t(y);' 'CREATE TABLE t(x, y); CREATE INDEX i ON t(y)' '.schema t'
echo "SELECT 'from a file';" >file.sql
echo '.read loop.sql' >loop.sql
check 'read' gives 'from a file' '.read file.sql'
check 'read a file that reads itself' run 2 "$ernie" sql --db "$db" '.read loop.sql'
check 'is told' one_line_error 'within each other'
check 'read a file that is not there' run 2 "$ernie" sql --db "$db" '.read nowhere.sql'
check 'is told, too' one_line_error 'nowhere.sql'
printf 'SELECT 1;\n\nSELEC;\n' >bad.sql
check 'an error in a file' run 2 "$ernie" sql --db "$db" '.read bad.sql'
check 'names it' grep -q '^ernie: bad.sql:3:1: ' err
check 'open' gives '14
0' 'SELECT count(*) FROM ernie_documents' '.open :memory:' 'SELECT count(*) FROM sqlite_schema'
check 'open what cannot be' run 2 "$ernie" sql --db "$db" '.open /nowhere/x.db'
check 'quit' gives 1 'SELECT 1' '.quit' 'SELECT 2'
check 'help within 80 columns' sh -c "'$ernie' sql --db :memory: .help | awk 'length > 80 { exit 1 }'"
check 'timer' run 0 "$ernie" sql --db :memory: '.timer on' 'SELECT 1'
check 'on standard error' grep -q '^0\.[0-9]* s$' err
for command in .nowhere .mode '.mode x' '.headers maybe' .open .read '.quit a b'; do
	check "refuses $command" run 2 "$ernie" sql --db :memory: "$command"
	check 'in one line' one_line_error "$(echo "$command" | cut -d' ' -f1)"
done
echo "SELECT 'of a file';" >'with space.sql'
check 'a name with a space' gives 'of a file' '.read "with space.sql"'

# ---- interrupted
"$ernie" sql --db :memory: 'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)
	SELECT count(*) FROM c' >out 2>err &
pid=$!
sleep 1
kill -INT $pid
wait $pid
check 'a signal ends the statement' [ $? = 2 ]
check 'and is told' grep -q ': interrupted$' err

# ---- a prompt
if python3 -c 'import pty' 2>/dev/null && ! readelf -d "$ernie" | grep -q libasan; then
	check 'the prompt' run 0 timeout 120 python3 "$tests/sql_prompt.py" "$ernie" "$db"
else
	echo 'skipped: no Python to type at the prompt'
fi
finish
