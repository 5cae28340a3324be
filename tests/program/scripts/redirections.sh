# Redirections: descriptors opened, duplicated, moved, closed; appending; reading and writing one file.
cd "$TEST_DIR" || exit 99
echo one > f; echo two >> f; $BB cat f
{ echo out; echo err >&2; } > o 2> e; $BB cat o e
{ echo out; echo err >&2; } > both 2>&1; $BB cat both
{ echo a; echo b >&2; } 2>&1 >/dev/null
exec 3> log; echo to three >&3; echo more >&3; exec 3>&-; $BB cat log
(echo x >&3) 2>/dev/null || echo "three is closed"
exec 4< log; read -r l <&4; echo "$l"; read -r l <&4; echo "$l"; read -r l <&4 || echo "end"; exec 4<&-
exec 5<> rw; echo written >&5; exec 5>&-; $BB cat rw
: > empty; [ -s empty ] || echo "is empty"
echo gone > f; $BB wc -c < f | $BB tr -d ' '
(set -C; echo no > f) 2>/dev/null || echo "noclobber"
(set -C; echo yes >| f); $BB cat f
echo nowhere > missing/file; echo "status $?"
$BB cat < missing; echo "status $?"
exec 6>&1 > captured; echo in the file; exec 1>&6 6>&-; echo on stdout; $BB cat captured
while read -r a <&7 && read -r b <&8; do echo "$a-$b"; done 7<<X 8<<Y
1
2
X
x
y
Y
$BB seq 1 5 > numbers; { read -r a; read -r b; echo "$a $b"; $BB cat; } < numbers
f() { echo "to stderr" >&2; echo "to stdout"; }; f 2>/dev/null; f 2>&1 >/dev/null
echo overwritten > same; { $BB cat same; echo appended; } > other; $BB cat other
$BB printf 'no newline' > nn; while read -r l || [ -n "$l" ]; do echo "[$l]"; done < nn
for i in 1 2 3; do echo "loop $i"; done > loop; $BB wc -l < loop | $BB tr -d ' '
echo discarded > /dev/null; $BB head -c 4 /dev/zero | $BB od -An -tx1
