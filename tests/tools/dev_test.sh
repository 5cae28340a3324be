#!/bin/bash
# dev_test.sh: the part of ./dev that reads the machine's apt sources, on sources of all shapes that Debian allows. It must
# find the mirror of the release's main component and keep how the archive is verified.
set -euo pipefail
command -v apt-config >/dev/null || exit 77
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../../dev"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
export APT_CONFIG="$tree/apt.conf"
printf 'Dir::Etc::sourcelist "%s/sources.list"; Dir::Etc::sourceparts "%s/parts";' "$tree" "$tree" >"$APT_CONFIG"
failed=0

# The release is part of what is tested, so it is not the machine's own.
os_release() { echo bookworm; }

# expect WHAT WANTED: runs main_source on what stands below $tree.
expect() {
  local got
  # Spaces around values mean nothing in a stanza.
  got=$(main_source | sed 's/: */:/')
  if [ "$got" != "$2" ]; then
    printf 'FAILED: %s\nwanted:\n%s\ngot:\n%s\n' "$1" "$2" "$got"
    failed=1
  fi
  rm -rf "$tree/sources.list" "$tree/parts"
  mkdir "$tree/parts"
}
mkdir "$tree/parts"

expect "no sources at all" ""

echo 'deb http://mirror.test/debian bookworm main' >"$tree/sources.list"
expect "a plain one-line entry" "URIs:http://mirror.test/debian"

cat >"$tree/sources.list" <<'END'
# deb http://comment.test/debian bookworm main
deb-src http://source.test/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb http://updates.test/debian bookworm-updates main
deb [ arch=amd64 signed-by=/a.gpg,/b.gpg check-valid-until=no ] http://mirror.test/debian/ bookworm contrib main
END
expect "a one-line entry with options, among others" "URIs:http://mirror.test/debian/
Signed-By:/a.gpg /b.gpg
Check-Valid-Until:no"

echo 'deb http://third-party.test/repo bookworm main' >"$tree/sources.list"
cat >"$tree/parts/debian.sources" <<'END'
Types: deb
URIs: http://security.test/debian
Suites: bookworm-security
Components: main

# The stanza that is wanted.
Types: deb deb-src
URIs: http://one.test/debian http://two.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 key
 -----END PGP PUBLIC KEY BLOCK-----
END
expect "deb822 with a key inside, beside a third party with the same suite" "URIs:http://one.test/debian http://two.test/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 key
 -----END PGP PUBLIC KEY BLOCK-----"

cat >"$tree/parts/debian.sources" <<'END'
Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
END
echo 'deb http://mirror.test/pub/debian stable main' >"$tree/sources.list"
expect "a disabled stanza, and a suite by its other name" "URIs:http://mirror.test/pub/debian"

[ "$failed" = 0 ] && echo "all shapes were understood"
exit "$failed"
