# Job control of a bash without a terminal: process groups, the list of jobs, stopping, fg and bg.
cd "$TEST_DIR" || exit 99
set -m
show() { "$@" > list 2>&1; echo "status $?"; $BB sed "s,$BB,BB,; s, *$p , PID ," list; }
until_stopped() { for i in $($BB seq 100); do case $(jobs) in *Stopped*) return;; esac; $BB sleep 0.02; done; }
$BB sleep 30 & p=$!
show jobs -l
kill -STOP %1; until_stopped; show jobs
bg %1 > list; $BB sed "s,$BB,BB," list; show jobs
kill -TERM -- -$p; wait $p; echo "group killed $?"
$BB sleep 0.2 & fg %1 > list; echo "foreground $?"; $BB sed "s,$BB,BB," list
( $BB sleep 30 | $BB cat ) & p=$!; kill -TERM -- -$p; wait $p; echo "pipeline's group $?"
$BB sh -c 'kill -STOP $$; exit 4' & p=$!
until_stopped; show jobs; fg %1 > list; echo "continued $?"; show jobs
$BB sh -c 'kill -STOP $$; exit 6'; echo "stopped in the foreground $?"
show jobs; fg; echo "after fg $?"; show jobs
$BB sleep 30 & disown -a; kill $!; show jobs
