# Background jobs and wait.
$BB sleep 0.05 & a=$!; $BB sh -c 'exit 7' & b=$!; $BB sh -c 'kill -9 $$' & c=$!
wait $b; echo "b $?"; wait $a; echo "a $?"; wait $c; echo "c $?"
$BB true & wait; echo "all $?"
# The child of some shells loses a signal that comes before its exec.
$BB sleep 30 & p=$!; $BB sleep 0.1; kill $p; wait $p; echo "killed $?"
$BB sleep 30 & p=$!; $BB sleep 0.1; kill -HUP $p; wait $p; echo "hung up $?"
( exit 21 ) & wait $!; echo "subshell $?"
for i in 1 2 3 4 5 6 7 8; do ( $BB sleep 0.$i; echo "job $i"; exit $i ) & pids="$pids $!"; done
for p in $pids; do wait $p; $BB printf '%s ' $?; done; echo
{ echo one; $BB sleep 0.05; echo two; } > "$TEST_DIR/out" & wait $!; $BB cat "$TEST_DIR/out"
$BB cat < /dev/null & wait $!; echo "empty input $?"
echo data | $BB cat & wait $!; echo "pipeline in the background $?"
f() { $BB sleep 0.05; return 14; }
f & wait $!; echo "function $?"
kill -0 $p 2>/dev/null || echo "gone"
wait 999999 2>/dev/null; echo "unknown $?"
$BB sleep 0.1 & first=$!; $BB sleep 0.2 & wait $first; wait; echo "both done"
# A background job's standard input is /dev/null when there is no job control.
echo unread | { $BB cat & wait $!; $BB cat; }
# A stopped and continued job.
$BB sh -c 'i=0; while [ $i -lt 3 ]; do $BB sleep 0.02; i=$((i+1)); done; exit 5' & p=$!
kill -STOP $p; $BB sleep 0.1; kill -CONT $p; wait $p; echo "continued $?"
