#!/bin/bash
# check_files.sh ROOT: fails if a source file is longer than 500 lines, does not start with a comment that says what it
# is, lacks #pragma once as a header, or ends without a newline; and if the top level holds what does not belong there.
set -euo pipefail
cd "${1:?usage: check_files.sh ROOT}"

readonly max_lines=500
failed=0
breach() {
  echo "$*"
  failed=1
}

folders=()
for folder in mmu vm loaders guest emu tests; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
[ ${#folders[@]} != 0 ] || {
  echo "check_files: no source folder in $PWD" >&2
  exit 2
}

# One awk for all files: a process for each would make this the slowest test.
find "${folders[@]}" -type f \
  \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.h' -o -name '*.S' -o -name '*.sh' \) -print0 |
  LC_ALL=C sort -z | xargs -0 -r awk -v max="$max_lines" '
    function breach(text) { print text; breaches++ }
    # The file whose lines have just all been read.
    function finish() {
      if (file == "") return
      if (lines > max) breach(file ": " lines " lines, at most " max " are allowed")
      if (file ~ /\.hpp$/ && !once) breach(file ": no #pragma once")
    }
    FNR == 1 {
      finish()
      file = FILENAME; once = 0; first = 1
    }
    { lines = FNR }
    /^#!/ && FNR == 1 { next }
    first && !/^[ \t]*(\/\/|\/\*|# )/ { breach(file ": does not start with a comment that says what it is") }
    { first = 0 }
    /^#pragma once/ { once = 1 }
    END { finish(); exit breaches ? 1 : 0 }' || failed=1

# An empty file has no lines for awk, and awk does not see a missing last newline.
while IFS= read -r -d '' file; do
  if [ ! -s "$file" ]; then
    breach "$file: empty"
  elif [ -n "$(tail -c1 "$file")" ]; then
    breach "$file: no newline at the end"
  fi
done < <(find "${folders[@]}" -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.c' -o -name '*.S' \) -print0)

for entry in *; do
  case "$entry" in
    CMakeLists.txt | CMakePresets.json | LICENSE | README.md | dev | emu | mmu | vm | guest | loaders | tests | build) ;;
    *) breach "$entry: does not belong at the top level" ;;
  esac
done
exit "$failed"
