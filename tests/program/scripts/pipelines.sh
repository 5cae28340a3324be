# Pipelines: many stages, statuses, loops as stages, a writer that nobody reads any more.
$BB printf '%s\n' pear apple fig apple pear apple | $BB sort | $BB uniq -c | $BB sort -rn | while read -r n w; do echo "$n=$w"; done
echo abc | $BB tr a-c x-z | $BB rev | $BB cat | $BB cat | $BB cat | $BB cat | $BB sed 's/$/!/'
true | false; echo "last false: $?"
false | true; echo "last true: $?"
! true; echo "not true: $?"
! false | false; echo "not (false|false): $?"
$BB seq 1 2000 | $BB awk '{ s += $1 } END { print s, NR }'
$BB yes ok | $BB head -n 3
n=0
$BB seq 1 50 | while read -r x; do n=$((n + x)); [ "$x" = 50 ] && echo "sum in the loop $n"; done
echo "sum behind it $n"
i=0
while [ $i -lt 5 ]; do echo "line $i"; i=$((i + 1)); done | { read -r first; echo "first: $first"; $BB wc -l | $BB tr -d ' '; }
# 300 KB, more than a pipe holds, through a slow and a fast stage.
$BB seq 1 50000 | $BB cat | $BB md5sum
{ echo out; echo err >&2; } 2>&1 | $BB sort
echo hidden | exit 7; echo "exit in a pipeline: $?"
$BB seq 1 20 | $BB xargs -n 7 echo
$BB seq 3 | while read -r a; do $BB seq "$a" | while read -r b; do $BB printf '%s.%s ' "$a" "$b"; done; done; echo
if echo needle | $BB grep -q needle; then echo found; else echo lost; fi
echo x | $BB tee "$TEST_DIR/tee1" | $BB tee "$TEST_DIR/tee2" >/dev/null; $BB cat "$TEST_DIR/tee1" "$TEST_DIR/tee2"
