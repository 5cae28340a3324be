# Arrays, matching and formatting of bash, in one process.
declare -A seen
for ((i = 0; i < 2000; i++)); do k=$((i * 7919 % 313)); seen[$k]=$((${seen[$k]:-0} + i)); done
t=0
for k in "${!seen[@]}"; do t=$(((t + seen[$k] * k) % 1000003)); done
echo "$t ${#seen[@]}"
mapfile -t lines <"${0%/*}/text.txt"
n=0
for line in "${lines[@]}"; do [[ $line =~ ^(page|zo).*ry ]] && n=$((n + ${#line})); done
printf '%s %x\n' "${lines[3]^^}" $n
printf -v text '%s,' {a..e}{1..9}
echo "${text//1/one}"
