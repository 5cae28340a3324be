# What only bash has: PIPESTATUS, process substitution, here-strings, arrays, mapfile, wait -n, lastpipe, pipefail.
cd "$TEST_DIR" || exit 99
true | false | (exit 3) | true; echo "${PIPESTATUS[@]}"
set -o pipefail; (exit 4) | true; echo "pipefail $?"; set +o pipefail
diff=$($BB diff <(printf 'a\nb\n') <(printf 'a\nc\n')); echo "$diff" | $BB tail -n 1
while read -r l; do n=$((n + l)); done < <($BB seq 1 100); echo "$n"
$BB tee >($BB tr a-z A-Z > upper) >($BB rev > reversed) <<< "three ways" ; wait; for i in 1 2 3 4 5 6 7 8 9 10; do [ -s upper ] && [ -s reversed ] && break; $BB sleep 0.1; done; $BB cat upper reversed
mapfile -t lines < <(printf '%s\n' x y z); echo "${#lines[@]} ${lines[1]}"
declare -A map=([one]=1 [two]=2); for k in one two; do echo "$k ${map[$k]}"; done
[[ "fault 42" =~ ([a-z]+)\ ([0-9]+) ]] && echo "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}"
shopt -s lastpipe; echo kept | read -r v; echo "$v"
coproc CO { while read -r l; do echo "co $l"; done; }
echo hello >&"${CO[1]}"; read -r r <&"${CO[0]}"; echo "$r"; eval "exec ${CO[1]}>&-"; wait "$CO_PID"; echo "co ended $?"
$BB sleep 0.2 & slow=$!; (exit 6) & wait -n; echo "wait -n $?"; wait $slow; echo "slow $?"
(exit 9) & p=$!; wait -n -p which $p; echo "wait -p $? $([ "$which" = $p ] && echo same)"
f() { local x=1; trap 'echo return' RETURN; echo "f $x"; }; f; trap - RETURN
trap 'echo "error $?"' ERR; false; trap - ERR
exec {fd}> auto; echo auto >&$fd; exec {fd}>&-; $BB cat auto
printf '%q %s\n' 'a b' "${PIPESTATUS[0]}"; echo {1..5} {a..e..2}; x=abcdef; echo "${x:2:3} ${x^^} ${x/cd/__} ${#x}"
time_it() { local t=$SECONDS; $BB sleep 0; echo "no time $((SECONDS - t))"; }; time_it
for ((i = 0; i < 3; i++)); do (( i % 2 )) || echo "even $i"; done; select s in a b; do echo "chose $s"; break; done <<< 2 2>/dev/null
cat_array=( $($BB seq 1 1000) ); echo "${#cat_array[@]} $(IFS=+; echo "$((${cat_array[*]}))")"
shopt -s globstar nullglob; $BB mkdir -p g/h/i; : > g/1; : > g/h/2; : > g/h/i/3; echo g/**/[0-9]
exec -a other_name "$BASH" -c 'echo "$0 $BASH_SUBSHELL"'
