#!/bin/sh
# How long a question takes, and how long a second look at an unchanged folder:
#
#   bench/search.sh [BUILD]       BUILD: where ernie and ernie.so are (default: .)
#
# Makes a folder of 10,000 one-passage notes, indexes it, and prints medians:
# the stock sqlite3 shell with everything cold in its process (time and memory),
# a warm question through `ernie search --queries`, and `ernie index` of 5,000
# unchanged files.
set -eu
build=$(cd "${1:-.}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ERNIE_MODEL=${ERNIE_MODEL:-$(cd "$(dirname "$0")/../models/ernie-micro-zh-en" && pwd)}
export ERNIE_MODEL
cd "$work"

# Sentences put together from a few dozen parts in both languages.
mkdir notes
awk 'BEGIN {
	n = split("会议 合同 数据库 发票 孩子 厨房 花园 火车 医院 音乐 天气 books rain engine coffee paper river network winter budget", topic, " ")
	m = split("需要检查|已经寄出|比去年多|下周再说|不能打开|颜色很好看|should be repaired|was sold last year|is waiting outside|costs too much", state, "|")
	for (i = 0; i < 10000; i++) {
		file = sprintf("notes/%05d.txt", i)
		printf "第%d条：%s%s。 The %s %s, note %d.\n", i, topic[i % n + 1], state[int(i / n) % m + 1],
			topic[int(i / 7) % n + 1], state[int(i / 3) % m + 1], i * 37 % 9973 > file
		close(file)
	}
}'

median() {
	sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

"$build/ernie" index --db x.db notes 2>&1 | tail -n 1
cp "$build/ernie.so" .

for i in $(seq 11); do
	/usr/bin/time -f '%e %M' sqlite3 x.db '.load ./ernie' "SELECT ernie_search('人工智能')" \
		2>&1 >/dev/null | tail -n 1
done >cold
printf 'cold, in sqlite3: %s ms, %s MB\n' \
	"$(awk '{ print $1 * 1000 }' cold | median)" "$(awk '{ print int($2 / 1024) }' cold | median)"

# The slope between 100 and 1,100 questions leaves the start out.
awk 'BEGIN { for (i = 0; i < 1100; i++) printf "第%d号会议室的空调坏了找谁修理\n", i }' >queries
head -n 100 queries >few
for i in $(seq 5); do
	few=$({ /usr/bin/time -f %e "$build/ernie" search --db x.db --queries few >/dev/null; } 2>&1)
	all=$({ /usr/bin/time -f %e "$build/ernie" search --db x.db --queries queries >/dev/null; } 2>&1)
	echo "$all $few" | awk '{ print $1 - $2 }'
done >warm
printf 'warm question: %s ms\n' "$(median <warm)"

mkdir half
mv notes/0[0-4]*.txt half
"$build/ernie" index --db half.db half 2>/dev/null
for i in $(seq 7); do
	/usr/bin/time -f %e "$build/ernie" index --db half.db half 2>&1 | tail -n 1
done >again
printf 'index of 5,000 unchanged files: %s s\n' "$(median <again)"
sqlite3 --version | awk '{ print "sqlite3 " $1 }'
