#!/bin/bash
# measure.sh BUILD [ROUNDS [OTHER_FAULTLINE]]: what plugins and each of their events cost, as the table of
# emu/plugin/README.md. BUILD has faultline, guest programs and plugins. Runs are interleaved; times are processor time,
# the least of ROUNDS (30). With another faultline, one without plugins, also what it costs to have the hooks at all.
set -euo pipefail
readonly build=${1:?usage: measure.sh BUILD [ROUNDS [OTHER_FAULTLINE]]} rounds=${2:-30} other=${3:-}
readonly counter=$build/plugins/test_count_events.so
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# run FAULTLINE EVENTS PROGRAM [ARGS...]: appends the seconds to a file, and leaves the counts. EVENTS "": no plugin.
run() {
  local faultline=$1 events=$2 plugin=()
  shift 2
  [ -z "$events" ] || plugin=(--plugin "$counter,events=$events,out=$folder/counts")
  # shellcheck disable=SC2086
  { TIMEFORMAT='%3U %3S' && time "$faultline" run "${plugin[@]}" --clear-env --ram 512M $options "$@" >/dev/null 2>"$folder/error"; } \
    2>"$folder/time" || { cat "$folder/error" >&2; exit 1; }
  awk '{ print $1 + $2 }' "$folder/time"
}
# What runs beside can only make a run slower.
least() { sort -n "$1" | head -n 1; }
guest() { printf %s "$build/guest_programs/glibc/$1"; }

# compare NAME EVENTS PROGRAM [ARGS...]: a line of the table: seconds without and with, and nanoseconds an event.
compare() {
  local name=$1 events=$2 i count=0
  shift 2
  rm -f "$folder"/{without,with,counts}
  for ((i = 0; i < rounds; ++i)); do
    run "$build/faultline" "" "$@" >>"$folder/without"
    run "$build/faultline" "$events" "$@" >>"$folder/with"
  done
  [ ! -f "$folder/counts" ] || count=$(awk '$1 != "end" && $1 != "start" { sum += $2 } END { print sum + 0 }' "$folder/counts")
  awk -v name="$name" -v program="$(basename "$1")" -v a="$(least "$folder/without")" -v b="$(least "$folder/with")" -v n="$count" '
    BEGIN { printf "| %s | %s | %.3f s | %.3f s | %+.1f %% | %d | %s |\n", name, program, a, b, (b / a - 1) * 100, n,
                   (n > 1000 ? sprintf("%.0f ns", (b - a) / n * 1e9) : "") }'
}

options=
if [ -n "$other" ]; then
  for program in "bench_first_touch 64 1" "bench_compute 8 1"; do
    rm -f "$folder"/{without,with}
    read -ra command <<<"$program"
    for ((i = 0; i < rounds; ++i)); do
      run "$other" "" "$(guest "${command[0]}")" "${command[@]:1}" >>"$folder/without"
      run "$build/faultline" "" "$(guest "${command[0]}")" "${command[@]:1}" >>"$folder/with"
    done
    awk -v program="${command[0]}" -v a="$(least "$folder/without")" -v b="$(least "$folder/with")" \
      'BEGIN { printf "%s: %.3f s without plugin support, %.3f s with it: %+.1f %%\n", program, a, b, (b / a - 1) * 100 }'
  done
fi
echo '| events | program | without | with a plugin | more | events | each |'
echo '|---|---|---|---|---|---|---|'
compare 'none' none "$(guest bench_first_touch)" 64 1
compare 'none' none "$(guest bench_compute)" 8 1
compare 'fault_end' fault_end "$(guest bench_first_touch)" 64 1
compare 'fault_begin, fault_end' fault_begin+fault_end "$(guest bench_first_touch)" 64 1
compare 'page_mapped, page_unmapped' page_mapped+page_unmapped "$(guest bench_first_touch)" 64 1
compare 'page_allocated, page_freed' page_allocated+page_freed "$(guest bench_first_touch)" 64 1
compare 'tlb_fill' tlb_fill "$(guest bench_first_touch)" 64 1
compare 'tlb_flush, vma_*' tlb_flush+vma_made+vma_changed+vma_removed "$(guest bench_fork)" 40
compare 'fork, exec, exit, signal' fork+exec+exit+signal "$(guest bench_fork)" 40
compare 'syscall_enter, syscall_exit' syscall_enter+syscall_exit "$(guest bench_syscall)" 100000 int80
compare 'block' block "$(guest bench_compute)" 8 1
compare 'access' access "$(guest bench_compute)" 7 1
options="--memory-limit 16M --swap 128M"
compare 'swap_in, swap_out, reclaim' swap_in+swap_out+reclaim+kswapd_wake+writeback+oom_kill "$(guest access_patterns)" random 4500 2
