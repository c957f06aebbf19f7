#!/bin/sh
# ernie watch from end to end: what it prints, how it ends, and that what changes is found.
. "${srcdir:-.}/tests/cli.sh"
service=$(cd "$builddir" && pwd)/data/ernie.service
cd "$work" || exit 99

# until COMMAND...: waits for it to succeed, 30 s at most.
until_true() {
	for i in $(seq 300); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
said() { grep -q "$1" watch.err; }
found() { "$ernie" search --db w.db -k 1 "$1" | grep -q "$2"; }
not_found() { ! "$ernie" search --db w.db "$1" | grep -q "$2"; }

# start ARGUMENTS...: in the background, as $pid.
start() {
	"$ernie" watch --db w.db --priority normal --on-battery run "$@" >watch.out 2>watch.err &
	pid=$!
}

# stop SIGNAL: it must have ended with 0 within 2 s.
stop() {
	from=$(date +%s%N)
	kill "-$1" $pid
	wait $pid || return 1
	[ $((($(date +%s%N) - from) / 1000000)) -lt 2000 ]
}

check 'watch of nothing' run 2 "$ernie" watch --db none.db
check 'watch of nothing says how' one_line_error 'ernie index PATH'
check 'watch of a missing folder' run 2 "$ernie" watch --db w.db none
check 'watch of a missing folder, said' one_line_error 'none: No such file or directory'
check 'watch of a file' run 2 "$ernie" watch --db w.db "$documents/notes/sourdough.md"
check '--on-battery is one of two' run 2 "$ernie" watch --on-battery sleep
check '--on-battery is one of two, said' one_line_error 'not one of: run pause'

mkdir docs
echo '绿茶怕烫，水温八十度左右最好。' >docs/tea.txt
start docs
check 'what is there is indexed' until_true said '^1 added; 1 passages embedded'
mkdir -p docs/new/deep
echo 'Knead the dough, let it rise, then bake it in a hot oven.' >docs/new/deep/bread.txt
check 'a file in a new folder is indexed' until_true found 'how to bake bread' new/deep/bread.txt
mv docs/new docs/kitchen
check 'a renamed folder' until_true found 'how to bake bread' kitchen/deep/bread.txt
check 'a renamed folder is not embedded again' said '^0 added, 1 moved; 0 passages'
echo 'The moon goes around the earth once a month.' >docs/tea.txt
check 'a changed file' until_true found '月亮绕地球' tea.txt
rm -r docs/kitchen
check 'a deleted folder' until_true not_found 'how to bake bread' bread.txt
check 'SIGTERM ends it' stop TERM
check 'nothing on standard output' test ! -s watch.out
check 'the database is sound' run 0 "$ernie" verify --db w.db

# What changed while nobody watched, and all that was indexed when nothing is named.
echo 'Cats sleep most of the day.' >docs/cats.txt
start
check 'what changed meanwhile is found' until_true said '^1 added, 1 unchanged'
echo 'Dogs bark at strangers.' >docs/dogs.txt
check 'all that was indexed is watched' until_true found '狗叫' dogs.txt
check '^C ends it' stop INT

# In the middle of its work, and by force.
mkdir docs/many
for i in $(seq 3000); do echo "Note $i is about the number $i and nothing else." >docs/many/$i.txt; done
start
sleep 1
check 'SIGTERM ends it in the middle' stop TERM
check 'the database is sound after SIGTERM' run 0 "$ernie" verify --db w.db
start
sleep 1
kill -KILL $pid
wait $pid 2>/dev/null
check 'the database is sound after SIGKILL' run 0 "$ernie" verify --db w.db
check 'index goes on from there' run 0 "$ernie" index --db w.db docs
check 'all are there' sh -c '"$0" status --db w.db | grep -qx "documents  3003"' "$ernie"

# It makes way for others.
"$ernie" watch --db w.db --on-battery run docs >watch.out 2>watch.err &
pid=$!
check 'it makes way' until_true sh -c 'test "$(cut -d " " -f 19 </proc/'$pid'/stat)" = 19'
check 'it makes way to what is in a hurry' until_true sh -c 'test "$(cut -d " " -f 41 </proc/'$pid'/stat)" = 3'
check 'it ends all the same' stop TERM

# As a service.
if command -v python3 >/dev/null; then
	python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("socket")
s.settimeout(60)
while True:
    said = s.recv(1000).decode()
    print(said, flush=True)
    if "STOPPING=1" in said:
        break
' >notified &
	listener=$!
	until_true test -S socket
	NOTIFY_SOCKET=$work/socket
	export NOTIFY_SOCKET
	start docs
	unset NOTIFY_SOCKET
	check 'it says that it is ready' until_true grep -q '^READY=1$' notified
	check 'it says how many folders' until_true grep -qx 'STATUS=watching 2 folders' notified
	check 'it ends as a service' stop TERM
	wait $listener
	check 'it says that it ends' grep -qx 'STOPPING=1' notified
fi
if command -v systemd-analyze >/dev/null; then
	sed "s|^ExecStart=[^ ]*|ExecStart=$ernie|" "$service" >ernie.service
	systemd-analyze --user verify ./ernie.service >out 2>err
	check 'the service is one' sh -c '! grep -i "ernie.service" err'
fi
finish
