# A script that does not fork: shells run it in their own process.
i=0 s=0
while [ $i -lt 2000 ]; do i=$((i + 1)); s=$((s + i * i % 7)); done
echo $s
count() { n=0; while read -r word rest; do case $word in page*) n=$((n + 1)) ;; esac; done; echo $n; }
count <"${0%/*}/text.txt"
x=abcdefghijklmnopqrstuvwxyz y=
while [ -n "$x" ]; do y=${x%"${x#?}"}$y x=${x#?}; done
echo $y
set -- one two three
for word; do eval "v_$word=$#"; shift; done
echo $v_one $v_two $v_three
echo $((0x2a << 3 ^ 5)) ${0##*/}
cd / && pwd
exit 3
