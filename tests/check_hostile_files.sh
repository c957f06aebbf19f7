#!/bin/bash
# Files made to do harm, read as the indexer reads them: none crashes or hangs it, fills its
# memory, or has a reader open, start or send anything.
set -euo pipefail
srcdir=${srcdir:-.}
builddir=${builddir:-.}
export builddir

command -v python3 >/dev/null || {
	echo 'no python3 to make the files with'
	exit 77
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -W ignore "$srcdir/tests/make_hostile.py" "$folder/files"

n_files=$(find "$folder/files" -type f | wc -l)
echo "$n_files files"
[ "$n_files" -ge 300 ]
n_processes=$(nproc)
[ "$n_processes" -le 4 ] || n_processes=4
if ! "$builddir/hostile_files" "$folder/files" "${HOSTILE_TIMEOUT_MS:-2000}" "$n_processes" \
	>"$folder/said"; then
	grep BROKEN "$folder/said" || tail "$folder/said"
	exit 1
fi
[ "$(wc -l <"$folder/said")" = "$n_files" ]
grep ': its reader' "$folder/said" || true

# What the readers asked the kernel for once they were confined, of the files that try most to
# lead them somewhere: nothing but looking up what they may read.
if readelf -d "$builddir/ernie-extract" | grep -q libasan; then
	# A reader that fails has been stopped by a sanitizer: Poppler may, what is ours may not.
	if grep ': its reader' "$folder/said" | grep -v '^[^ ]*\.pdf '; then
		exit 1
	fi
	echo '1 passed, 0 failed'
	exit 0
fi
if ! strace -f -o /dev/null true 2>/dev/null; then
	echo 'no strace: what was asked for is known by what the kernel answered (check_jail)'
	echo '1 passed, 0 failed'
	exit 0
fi
mkdir "$folder/some"
cp "$folder/files"/{sound,xml,name,entry,external,xfa,javascript,hrefs,relations,cid,attachment,partial,symlink}* \
	"$folder/some"
strace -f --seccomp-bpf -qq -o "$folder/trace" -s 300 \
	-e trace=%network,%process,openat,open,creat,prctl,ptrace,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat,link,linkat,chmod,fchmodat,ioctl,memfd_create,io_uring_setup,kill,tgkill \
	"$builddir/hostile_files" "$folder/some" 20000 1 >/dev/null
# A process is a reader from its filter of system calls on; a number may come again.
awk '
	/ (execve|vfork|clone|clone3)\(/ { delete is_confined[$1] }
	/ \+\+\+ (exited|killed)/ { delete is_confined[$1]; next }
	/ prctl\(PR_SET_SECCOMP/ { is_confined[$1] = 1; n_readers++; next }
	!is_confined[$1] { next }
	/ exit_group[( ]| exit\(/ { next }
	/ --- SIG/ { next }
	# A process that was killed before strace could see which call it was in.
	/ \?\?\?\(| \?\?\? resumed/ { next }
	/ = -1 E(ACCES|NOENT)/ { next }
	/ openat\(AT_FDCWD, "\/usr\/share\/poppler[^.]*", O_RDONLY/ { next }
	{ print "a reader asked for: " $0; n_bad++ }
	END {
		print n_readers + 0 " readers watched"
		exit n_bad > 0 || n_readers < 50
	}' "$folder/trace"
echo '1 passed, 0 failed'
