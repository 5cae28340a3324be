# read: fields, backslashes, descriptors shared between processes, a fifo between two of them.
d=$($BB mktemp -d /tmp/faultline.XXXXXX) && cd "$d" || exit 99
$BB printf 'a b  c d\n' | { read -r x y z; echo "[$x][$y][$z]"; }
$BB printf 'a:b:c\n' | { IFS=: read -r x y z; echo "[$x][$y][$z]"; }
$BB printf 'back\\slash con\\\ntinued\n' | { read x y; echo "[$x][$y]"; }
$BB printf '  spaces  \n' | { IFS= read -r l; echo "[$l]"; }
$BB printf 'one\ntwo\nthree\n' > lines
{ read -r a; $BB head -n 1 >/dev/null; read -r b || b=none; echo "$a"; } < lines
n=0; while read -r l; do n=$((n + 1)); case $l in two) break;; esac; done < lines; echo $n
$BB mkfifo fifo
( for i in 1 2 3; do echo "message $i"; done > fifo ) &
while read -r l; do echo "got $l"; done < fifo
wait
( read -r l < fifo; echo "answer to $l" > back ) & echo question > fifo; wait; $BB cat back
# Two writers and a reader on a descriptor that keeps the fifo open.
exec 9<> fifo; ( echo left >&9 ) & ( echo right >&9 ) & read -r a <&9; read -r b <&9; wait; exec 9>&-
$BB printf '%s\n' "$a" "$b" | $BB sort
set -- $($BB seq 1 5); shift 2; echo "$*"
while [ $# -gt 0 ]; do $BB printf '<%s>' "$1"; shift; done; echo
i=0; $BB seq 1 400 | while read -r x; do i=$((i + x)); echo $i; done | $BB tail -n 1
$BB printf 'no newline' | { read -r x; echo "$? [$x]"; }
cd / && $BB rm -r "$d" && echo cleaned
