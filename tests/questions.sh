#!/bin/sh
# Real books, real questions: indexes Debian's own documents (packages
# debian-reference-zh-cn, debian-handbook, manpages-zh) and asks what people ask.
# questions.tsv has, for each, the rank by which the document that answers must come:
# 3, or for those that the model misses what it reached and three more, so that a
# change for the worse is seen.
#
#   tests/questions.sh [BUILD]       BUILD: where ernie is (default: .)
set -eu
ernie=$(cd "${1:-.}" && pwd)/ernie
questions=$(cd "$(dirname "$0")" && pwd)/questions.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

handbook=/usr/share/doc/debian-handbook/html
reference=/usr/share/debian-reference
manual=/usr/share/man/zh_CN
for folder in $handbook $reference $manual; do
	if [ ! -d $folder ]; then
		echo "SKIP: no $folder: install debian-reference-zh-cn debian-handbook manpages-zh"
		exit 77
	fi
done
mkdir books
cp -r $handbook/en-US $handbook/zh-CN books
mkdir books/reference
cp $reference/*.zh-cn.html books/reference
# Manual pages as a terminal shows them, without its bold and underlined letters.
for section in 1 5 8; do
	mkdir -p books/man/man$section
	for page in $manual/man$section/*.gz; do
		zcat "$page" | groff -k -Tutf8 -P-c -man 2>/dev/null | sed 's/.\x08//g' \
			>"books/man/man$section/$(basename "$page" .gz).txt"
	done
done

"$ernie" index --db books.db books
"$ernie" verify --db books.db
"$ernie" status --db books.db
cut -f 2 "$questions" >asked
"$ernie" search --db books.db --queries asked -k 100 --format jsonl >answers

n_passed=0 n_failed=0 n_first=0
while IFS='	' read -r limit question expected && IFS= read -r answer <&3; do
	paths=$(echo "$answer" | grep -o '"path":"[^"]*"' | sed 's/"path":"//; s/"$//; s|.*/books/||')
	rank=$(echo "$paths" | grep -nxF "$expected" | cut -d : -f 1)
	if [ "${rank:-99}" -le "$limit" ]; then
		n_passed=$((n_passed + 1))
	else
		n_failed=$((n_failed + 1))
		printf 'FAILED: '
	fi
	[ "${rank:-99}" -gt 3 ] || n_first=$((n_first + 1))
	printf '%s\n  rank %s: %s\n' "$question" "${rank:-none}" "$expected"
	echo "$paths" | head -n 3 | sed 's/^/    /'
done <"$questions" 3<answers
echo "$n_first answered among the first three"
echo "$n_passed passed, $n_failed failed"
[ $n_failed = 0 ] && [ $n_first -ge 13 ]
