# Traps and signals that a script sends to itself and to others.
trap 'echo "got USR1"' USR1
kill -USR1 $$
kill -s USR1 $$
trap '' USR1; kill -USR1 $$; echo "ignored"
( kill -USR1 $($BB sh -c 'echo $PPID'); echo "child ignores it too" )
trap - USR1
( trap 'echo "child TERM"; exit 33' TERM; kill -TERM $($BB sh -c 'echo $PPID'); echo "not reached" ); echo "status $?"
$BB sh -c 'kill -TERM $$'; echo "killed by TERM: $?"
$BB sh -c 'kill -KILL $$'; echo "killed by KILL: $?"
$BB sh -c 'trap "exit 12" HUP; kill -HUP $$; echo no'; echo "trapped HUP: $?"
$BB sh -c 'trap "" TERM; kill -TERM $$; echo survived'; echo "ignored TERM: $?"
trap 'echo "exit trap, status $?"' EXIT
trap 'echo "got USR2"' USR2
# A trap runs when the foreground command has ended.
( $BB sleep 0.1; kill -USR2 $$ ) & $BB sleep 0.3; echo "sleep done"
wait
# A signal with a trap ends wait with more than 128.
$BB sleep 20 & job=$!
( $BB sleep 0.1; kill -USR2 $$ ) & other=$!
wait $job; status=$?; [ $status -gt 128 ] && echo "wait was interrupted: $((status - 128))"
kill $job; wait $job; echo "job: $?"; wait $other
# In a subshell a trap is reset, an ignored signal stays ignored.
trap '' HUP
( trap 'echo subshell exit' EXIT; kill -HUP $($BB sh -c 'echo $PPID'); echo "HUP ignored" )
kill -0 $$ && echo "alive"
exit 6
