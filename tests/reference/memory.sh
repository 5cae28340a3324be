#!/bin/bash
# memory.sh [--out DIR] [--full DIR] [--sizes "MIB..."]: what a real i386 Linux says of its physical memory.
#
# Boots Debian's linux-image-686 in qemu-system-i386 once for each size of memory, with nothing but a static busybox, and
# stores its zones, watermarks and settings as DIR/SIZE.txt (tests/records/zoneinfo); with --full all files that
# memory_guest.sh prints, and the boot log, go to DIR/SIZE/NAME. `reference.sh` gets the kernel; this script only uses it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$here/../../dev"

out=tests/records/zoneinfo full="" sizes="128 512 2048"
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out=$2 ;;
    --full) full=$2 ;;
    --sizes) sizes=$2 ;;
    *) die "memory.sh: no such option: $1" ;;
  esac
  shift 2
done

readonly kernel="$deps/linux-686" limit_seconds=300
# What tests compare, in the order in which it is stored.
readonly stored="zoneinfo zoneinfo_rewritten zoneinfo_scale_200 min_free_kbytes lowmem_reserve_ratio watermark_scale_factor watermark_boost_factor"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make_initramfs() {
  mkdir -p "$work/root/bin"
  cp "$deps/busybox/bin/busybox" "$work/root/bin/"
  cp "$here/memory_guest.sh" "$work/root/init"
  chmod 755 "$work/root/init"
  (cd "$work/root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc) | gzip -1 >"$work/initramfs.gz"
}

# Boots with $1 MiB; what the guest prints between "@file NAME" and "@end" becomes $2/NAME.
boot() {
  mkdir -p "$2"
  timeout "$limit_seconds" qemu-system-i386 -accel tcg -cpu Nehalem,-syscall,-lm -m "$1" -nodefaults -no-user-config \
    -display none -no-reboot -serial stdio -kernel "$kernel"/boot/vmlinuz-6.1* -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet nokaslr mitigations=off transparent_hugepage=never no_hash_pointers panic=-1" </dev/null 2>"$work/qemu.log" | tr -d '\r' >"$work/console" || true
  grep -q '^@done' "$work/console" || {
    tail -n 5 "$work/qemu.log" "$work/console" >&2
    die "the machine with $1 MiB did not finish within $limit_seconds s"
  }
  awk -v folder="$2" '/^@file / { file = folder "/" $2; printf "" > file; next } /^@end/ { close(file); file = ""; next }
    file != "" { print > file }' "$work/console"
}

[ -e "$kernel/.complete" ] || die "no kernel at $kernel: run ./dev reference first"
command -v qemu-system-i386 >/dev/null || die "qemu-system-i386 is needed (Debian: qemu-system-x86)"
mkdir -p "$out"
make_initramfs
for size in $sizes; do
  name=${size}M
  [ "$size" -lt 1024 ] || name=$((size / 1024))G
  boot "$size" "${full:-$work/full}/$name"
  for file in $stored; do
    printf '@file %s\n' "$file"
    cat "${full:-$work/full}/$name/$file"
  done >"$out/$name.txt"
  say "$out/$name.txt"
done
