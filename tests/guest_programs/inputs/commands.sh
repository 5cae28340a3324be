# Twenty commands, run by busybox's applets: $1 is busybox, $2 the folder of the inputs. For ash, bash and mksh alike.
# Nothing here depends on time, process numbers or who of two processes is faster.
box=$1
inputs=$2
$box echo one
$box true
$box false || echo "two: status $?"
$box cat $inputs/small.txt | $box wc -l
$box sort -n $inputs/nums.txt | $box head -n 3 | $box tail -n 1
lines=$($box grep -c the $inputs/text.txt)
echo "three: $lines"
(
  cd $inputs
  $box ls -1 small.txt other.txt
)
$box sed -n 2p $inputs/small.txt
name=`$box basename $inputs/prog.awk .awk`
echo "four: $name"
$box cut -d, -f1 $inputs/table.csv | $box uniq | $box sort | $box sha1sum
( $box sh -c 'exit 7' )
echo "five: status $?"
$box sh -c "$box echo six; $box echo seven"
$box sleep 0 &
wait
for word in a b; do
  $box echo $word
done
if $box test -f $inputs/small.txt; then
  $box expr 3 '*' 4
fi
$box seq 3 | while read number; do
  echo "number $number"
done
$box md5sum <$inputs/small.txt
$box sh -c 'kill -TERM $$'
echo "last: status $?"
