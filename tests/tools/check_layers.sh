#!/bin/bash
# check_layers.sh ROOT: fails if a source file includes what its layer must not know, one line for each breach.
#
#   mmu -> vm -> loaders -> guest -> emu      a folder includes itself and what stands to its left
#   emu/record                                of emu only itself and emu/base: it is built without the rest
#   */embed/include, */embed/examples         what other programs see, and such programs: only <faultline/...> of ours
#   tests/unit/<layer>                        as that layer; tests/fuzz as guest; tests/program only tests/ and emu/record;
#                                             tests/embed only tests/ and <faultline/...>
#   Unicorn                                   only emu/cpu and emu/bench
#   C++ files                                 write an include of ours from the repository root, never relative
#
# It reads #include lines, not what the compiler does with them: an #include below #if counts, one made by a macro is a
# breach because it cannot be read.
set -euo pipefail
cd "${1:?usage: check_layers.sh ROOT}"

folders=()
for folder in mmu vm loaders guest emu tests; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
[ ${#folders[@]} != 0 ] || {
  echo "check_layers: no source folder in $PWD" >&2
  exit 2
}

# grep ends with 1 when no file includes anything, which is no error.
{ grep -rnE '^[[:space:]]*#[[:space:]]*(include|include_next|import)\b' \
  --include='*.cpp' --include='*.hpp' --include='*.c' --include='*.h' --include='*.S' --include='*.inc' \
  "${folders[@]}" || [ $? = 1 ]; } | LC_ALL=C sort | awk '
  BEGIN {
    layers = split("mmu vm loaders guest emu", name, " ")
    for (i = 1; i <= layers; i++) rank[name[i]] = i
  }
  function breach(text) { print file ":" line ": " text; breaches++ }
  {
    # file:line:text
    file = $0; sub(/:.*/, "", file)
    rest = substr($0, length(file) + 2)
    line = rest; sub(/:.*/, "", line)
    text = substr(rest, length(line) + 2)

    # Programs that run inside faultline are no part of the layers.
    if (file ~ /^tests\/(guest_programs|tools)\//) {
      if (text ~ /[<"]unicorn\//) breach("includes Unicorn")
      next
    }
    if (!match(text, /["<][^">]*[">]/)) { breach("an include that cannot be read: " text); next }
    quoted = substr(text, RSTART, 1) == "\""
    target = substr(text, RSTART + 1, RLENGTH - 2)

    owner = file; sub(/\/.*/, "", owner)
    if (owner == "tests") {
      owner = file; sub(/^tests\/unit\//, "", owner)
      if (owner != file) sub(/\/.*/, "", owner)
      else if (file ~ /^tests\/fuzz\//) owner = "guest"
      else owner = "none"
    }

    if (target ~ /^unicorn(\/|\.h$)/ && file !~ /^emu\/(cpu|bench)\//) { breach("includes Unicorn; only emu/cpu and emu/bench may"); next }
    if (target ~ /(^|\/)\.\.?\//) { breach("relative include " target "; write it from the repository root"); next }

    if (file ~ /^emu\/record\// && target ~ /^emu\// && target !~ /^emu\/(record|base)\//) { breach("emu/record must not include " target); next }
    if (file ~ /^tests\/program\// && target ~ /^emu\/record\//) next

    top = target; slash = sub(/\/.*/, "", top)
    if (file ~ /^[a-z]+\/embed\/(include|examples)\// && (quoted || top in rank)) {
      breach("the public interface and its examples must not include " target); next
    }
    if (slash && top in rank) {
      if (rank[top] > rank[owner] + 0) breach((owner in rank ? owner : "this folder") " must not include " target)
    } else if (quoted && top != "tests" && file ~ /\.[ch]pp$/) {
      breach("include of " target "; write it from the repository root, or in <> if it is not ours")
    } else if (slash && top == "tests" && file !~ /^tests\//) {
      breach("only tests include tests/")
    }
  }
  END { exit breaches ? 1 : 0 }
'
