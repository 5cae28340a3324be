# Subshells and command substitution: what a child changes stays in the child.
a=1; (a=2; echo "inside $a"; (a=3; echo "deeper $a"; exit 5); echo "deeper ended $?"); echo "outside $a $?"
(exit 3); echo "status $?"
( cd / && pwd ); cd "$TEST_DIR" && ( cd .. && : ); [ "$(pwd)" = "$TEST_DIR" ] && echo "folder kept"
x=$(echo one; echo two; echo; echo); $BB printf '[%s]\n' "$x"
x=$(exit 4); echo "substitution status $?"
x=`echo back; echo quotes`; $BB printf '[%s]\n' "$x"
echo "nested $(echo a $(echo b $(echo c $(echo d))))"
f() { echo "f got $*"; return 9; }
y=$(f 1 2 3); echo "$y, status $?"
( f sub >/dev/null; echo "in subshell $?" )
{ b=grouped; }; echo "$b"
z=$( (echo p; echo q) | $BB sort -r ); echo $z
big=$($BB seq 1 20000); echo ${#big}
depth() { if [ "$1" = 0 ]; then echo bottom; else ( depth $(($1 - 1)) ); fi; }
depth 12
set -- 1 2 3; ( set -- x; echo "$# $1" ); echo "$# $1"
umask 022; ( umask 077; umask ); umask
( trap 'echo left' EXIT; : ); echo after
v=$(v=inner; echo "$v" | ( read -r q; echo "<$q>" )); echo "$v"
unset nothing; ( : "${nothing:?is not set}" ) 2>/dev/null; echo "unset: $?"
