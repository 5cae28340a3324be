# Exit statuses and control flow.
true && echo and; false || echo or; false && echo no || echo either
if false; then :; elif true; then echo elif; fi
( set -e; false; echo "not reached" ); echo "set -e: $?"
( set -e; false || true; if false; then :; fi; ! true; echo "reached" ); echo "set -e: $?"
( set -u; echo "$unset_variable" ) 2>/dev/null; echo "set -u fails: $([ $? != 0 ] && echo yes)"
i=0; until [ $i = 3 ]; do i=$((i + 1)); [ $i = 2 ] && continue; echo "i=$i"; done
for i in 1 2 3 4; do for j in 1 2 3; do [ $j = 2 ] && continue 2; [ $i = 3 ] && break 2; echo "$i$j"; done; done
f() { return 42; }; f; echo $?
g() { f; return; }; g; echo $?
case $? in 0) echo zero;; *) echo other;; esac
no_such_command 2>/dev/null; echo $?
$BB sh -c 'exit 300'; echo $?
$BB sh -c 'exit 255'; echo $?
for s in 1 2 3 6 9 13 14 15; do $BB sh -c "kill -$s \$\$; $BB sleep 5"; echo "signal $s: $?"; done 2>/dev/null
test a = a; echo $?; test 1 -gt 2; echo $?; [ -d / ]; echo $?
x=$(false); echo $?; x=$(true)$(false); echo $?
eval 'exit_code() { return 3; }'; exit_code; echo $?
. /dev/null; echo $?
echo $((1 + 2 * 3)) $((7 / 2)) $((-7 % 3)) $((1 << 10)) $((5 > 3))
exit 77
