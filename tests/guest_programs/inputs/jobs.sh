# Jobs, signals and pipes, with busybox's applets: $1 is busybox. For ash, bash and mksh alike.
box=$1
$box sleep 0 &
first=$!
$box true &
second=$!
wait $first && echo "first: $?"
wait $second && echo "second: $?"
( exit 5 ) &
wait $!
echo "status $?"
trap 'echo usr1' USR1
kill -USR1 $$
trap - USR1
trap 'echo leaving' EXIT
$box cat <<END
here is $box
END
$box yes | $box head -n 2
$box seq 20000 | $box tail -n 1
echo outer $(echo inner $($box echo innermost))
{ $box echo one; $box echo two >&2; } 2>&1 | $box sort -r
( trap 'echo term; exit 3' TERM; $box sh -c "kill -TERM \$PPID"; $box sleep 0 )
echo "status $?"
( $box sh -c 'kill -KILL $$' ) 2>&1 | $box wc -l
$box xargs -n 1 $box echo word <<END
a b c
END
set -- x y z
for word; do ( echo "$word" ); done | $box tr xyz XYZ
$box find / -maxdepth 0 -exec $box echo found {} ';'
( exec $box echo replaced )
exit 4
