#!/bin/bash
# check_tools_test.sh: proves that check_layers.sh and check_files.sh find what they are for. Each case plants one breach
# in a small clean tree and expects the check to fail and to name the file; the clean tree itself must pass.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

# put FILE LINE...: a file with a header comment and these lines.
put() {
  local file="$tree/$1"
  shift
  mkdir -p "$(dirname "$file")"
  printf '%s\n' "// A fixture." "$@" >"$file"
}

clean_tree() {
  rm -rf "${tree:?}"/*
  put mmu/ram.hpp '#pragma once' '#include <vector>'
  put vm/space.cpp '#include "mmu/ram.hpp"' '#include "vm/space.hpp"'
  put vm/space.hpp '#pragma once' '// #include "emu/machine.hpp" is only a comment'
  put loaders/elf.cpp '#include "vm/space.hpp"'
  put guest/kernel.cpp '#include "loaders/elf.hpp"' '#include <sys/mman.h>'
  put emu/cpu/cpu.cpp '#include <unicorn/unicorn.h>' '#include "guest/kernel.hpp"'
  put emu/bench/floor.cpp '#include <unicorn/unicorn.h>'
  put tests/unit/vm/space_test.cpp '#include "vm/space.hpp"' '#include "tests/unit/vm/fixture.hpp"'
  put tests/program/run_test.cpp '#include "tests/program/runner.hpp"' '#include "emu/record/record_file.hpp"'
  put emu/record/launcher.cpp '#include "emu/base/host_error.hpp"' '#include "vm/fault/fault_record.hpp"'
  put vm/embed/include/faultline/vm.hpp '#pragma once' '#include <faultline/base.hpp>'
  put vm/embed/vm.cpp '#include <faultline/vm.hpp>' '#include "vm/space.hpp"'
  put tests/embed/vm_test.cpp '#include <faultline/vm.hpp>' '#include "tests/program/runner.hpp"'
  put tests/guest_programs/hello.c '#include "common.h"' '#include <stdio.h>'
}

# expect pass|fail CHECK WHAT [NAMED_FILE]
expect() {
  local status=0 output
  output=$("$tools/$2" "$tree" 2>&1) || status=$?
  if [ "$1" = pass ] && [ "$status" != 0 ]; then
    echo "FAILED: $2 must accept $3, but: $output"
    failed=1
  elif [ "$1" = fail ] && { [ "$status" != 1 ] || [[ "$output" != *"$4"* ]]; }; then
    echo "FAILED: $2 must reject $3 and name $4; status $status, output: $output"
    failed=1
  fi
}

# breach CHECK WHAT FILE LINE...: plants the file in a clean tree and expects the check to name it.
breach() {
  local check=$1 what=$2 file=$3
  clean_tree
  put "${@:3}"
  expect fail "$check" "$what" "$file"
}

clean_tree
expect pass check_layers.sh "a clean tree"
expect pass check_files.sh "a clean tree"

breach check_layers.sh "mmu including vm" mmu/ram.cpp '#include "vm/space.hpp"'
breach check_layers.sh "vm including guest" vm/a.hpp '#pragma once' '#include "guest/task.hpp"'
breach check_layers.sh "loaders including guest in <>" loaders/a.cpp '#include <guest/task.hpp>'
breach check_layers.sh "guest including emu" guest/a.cpp '#  include "emu/machine.hpp"'
breach check_layers.sh "an include below #if" guest/a.cpp '#if 0' '  #include "emu/machine.hpp"' '#endif'
breach check_layers.sh "a relative include" vm/a.cpp '#include "../emu/machine.hpp"'
breach check_layers.sh "an include not written from the root" vm/a.cpp '#include "space.hpp"'
breach check_layers.sh "an include made by a macro" vm/a.cpp '#include HEADER'
breach check_layers.sh "Unicorn in guest" guest/a.cpp '#include <unicorn/unicorn.h>'
breach check_layers.sh "Unicorn in emu outside cpu" emu/machine.cpp '#include "unicorn/unicorn.h"'
breach check_layers.sh "a unit test of vm that includes guest" tests/unit/vm/a_test.cpp '#include "guest/task.hpp"'
breach check_layers.sh "a program test that includes a layer" tests/program/a_test.cpp '#include "mmu/ram.hpp"'
breach check_layers.sh "a recorder that includes the processor" emu/record/a.cpp '#include "emu/cpu/decode.hpp"'
breach check_layers.sh "a public header that includes a layer" vm/embed/include/faultline/a.hpp '#pragma once' '#include "vm/space.hpp"'
breach check_layers.sh "a public header that includes a layer in <>" mmu/embed/include/faultline/a.hpp '#pragma once' '#include <mmu/ram.hpp>'
breach check_layers.sh "an example that includes a layer" emu/embed/examples/a.cpp '#include "vm/space.hpp"'
breach check_layers.sh "a test of embedding that includes a layer" tests/embed/a_test.cpp '#include "vm/space.hpp"'
breach check_layers.sh "a layer that includes tests" vm/a.cpp '#include "tests/unit/vm/fixture.hpp"'

mapfile -t filler < <(seq 1 500 | sed 's|^|// |')
breach check_files.sh "501 lines" vm/long.cpp "${filler[@]}"
breach check_files.sh "a header without #pragma once" vm/a.hpp 'int x;'
clean_tree
put vm/long.cpp "${filler[@]:1}"
expect pass check_files.sh "500 lines"
clean_tree
printf 'int x;\n' >"$tree/vm/a.cpp"
expect fail check_files.sh "a file without a header comment" vm/a.cpp
clean_tree
printf '// A fixture.' >"$tree/vm/a.cpp"
expect fail check_files.sh "a file without a last newline" vm/a.cpp
clean_tree
: >"$tree/vm/a.cpp"
expect fail check_files.sh "an empty file" vm/a.cpp
clean_tree
mkdir "$tree/cmake"
expect fail check_files.sh "a foreign folder at the top level" cmake
rm -rf "${tree:?}"/*
status=0
"$tools/check_layers.sh" "$tree" >/dev/null 2>&1 || status=$?
[ "$status" = 2 ] || {
  echo "FAILED: check_layers.sh must refuse a tree without sources, status $status"
  failed=1
}

[ "$failed" = 0 ] && echo "all cases answered as they should"
exit "$failed"
