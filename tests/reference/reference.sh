#!/bin/bash
# reference.sh BUILD [--kernel 6.1-i386|6.18-amd64] [--suite FILE] [--out DIR] [--filter TEXT] [--accel tcg|kvm]: records
# what a real Linux does with i386 programs.
#
# Boots a kernel of Debian in qemu with the guest programs and the recorder that are below BUILD, runs every line of the
# suite, and puts the records below DIR (tests/records/KERNEL). 6.1-i386 is linux-image-686 (no PAE, 3G/1G), 6.18-amd64
# an x86-64 kernel that runs i386 programs. No network but for Debian's kernel package, no root, no loop mounts; what it
# makes stands below .deps/ and BUILD/reference/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$here/../../dev"

build=${1:?usage: reference.sh BUILD [--kernel 6.1-i386|6.18-amd64] [--suite FILE] [--out DIR] [--filter TEXT] [--accel tcg|kvm]}
shift
suite=tests/exactness.tsv out="" filter="" accel=tcg name=6.1-i386
while [ $# -gt 0 ]; do
  case "$1" in
    --kernel) name=$2 ;;
    --suite) suite=$2 ;;
    --out) out=$2 ;;
    --filter) filter=$2 ;;
    --accel) accel=$2 ;;
    *) die "reference.sh: no such option: $1" ;;
  esac
  shift 2
done

# The processor is part of a reference. Nehalem is the newest named one of which faultline's engine can do everything:
# SSE to SSE4.2 and POPCNT, but neither XSAVE nor AVX. What a 32-bit TCG cannot give it anyway is left out, or it would
# warn.
case "$name" in
  6.1-i386) kernel="$deps/linux-686" base=6.1 qemu=qemu-system-i386 bits=32 cpu=Nehalem,-syscall,-lm ;;
  6.18-amd64) kernel="$deps/linux-amd64" base=6.18 qemu=qemu-system-x86_64 bits=64 cpu=Nehalem ;;
  *) die "reference.sh: no such kernel: $name" ;;
esac
readonly kernel base qemu bits cpu memory=512 limit_seconds=1500
readonly work="$build/reference" scratch=/tmp/faultline-suite programs="$build/guest_programs"
readonly recorder=${FAULTLINE_RECORDER:-$build/faultline-record$bits}
out=${out:-tests/records/$name}

fetch_kernel() {
  [ ! -e "$kernel/.complete" ] || return 0
  local stage="$deps/stage" image
  mkdir -p "$deps"
  exec 9>"$deps/lock"
  flock 9
  rm -rf "$stage"
  if [ "$name" = 6.1-i386 ]; then
    fetch bookworm i386 "$stage" linux-image-686
    image=$(dpkg-deb -f "$deps"/apt/bookworm-i386/debs/linux-image-686_*.deb Depends | grep -o "linux-image-${base}[^ ,]*")
    [ -n "$image" ] || die "linux-image-686 of bookworm names no kernel $base"
    fetch bookworm i386 "$stage" "$image"
  else
    # No release of Debian has this kernel as its own; the backports keep it.
    fetch trixie-backports amd64 "$stage" "linux-image-$base.15+deb13-amd64"
  fi
  install_tree "$stage" "$kernel"
  rm -rf "$deps/apt"
  touch "$kernel/.complete"
  exec 9>&-
}

# The module NAME and all that it depends on, in the order of loading, each once.
declare -A listed=()
module_files() {
  local file dependency
  file=$(find "$kernel" -path '*/lib/modules/*' \( -name "$1.ko*" -o -name "${1//_/-}.ko*" \) | head -n 1)
  # What is not a module is built in. Newer packages compress modules.
  [ -z "$file" ] || [ -e "${file%.xz}" ] || xz -dk "$file"
  file=${file%.xz}
  [ -n "$file" ] && [ -z "${listed[$file]:-}" ] || return 0
  listed[$file]=1
  for dependency in $(objcopy -O binary --only-section=.modinfo "$file" /dev/stdout | tr '\0' '\n' |
    sed -n 's/^depends=//p' | tr ',' ' '); do
    module_files "$dependency"
  done
  modules+=("$file")
}

make_initramfs() {
  local root="$work/initramfs" number=10 module
  modules=()
  for module in virtio_pci virtio_blk crc32c_generic ext4; do
    module_files "$module"
  done
  [ ${#modules[@]} -ge 4 ] || die "the kernel package has too few modules of virtio and ext4: ${modules[*]}"
  rm -rf "$root"
  mkdir -p "$root/bin" "$root/modules"
  cp "$deps/busybox/bin/busybox" "$root/bin/"
  cp "$here/guest.sh" "$root/init"
  for module in "${modules[@]}"; do
    cp "$module" "$root/modules/$number-$(basename "$module")"
    number=$((number + 1))
  done
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc) | gzip -1 >"$work/initramfs.gz"
}

# Writes a job for each program and flavour of the suite: record file, command.
make_jobs() {
  local name flavours program args flags flavour command record
  : >"$work/jobs"
  while IFS=$'\t' read -r name flavours program args _ flags; do
    case "$name" in '' | '#'*) continue ;; esac
    case ",$flags," in *,only-6.18,*) continue ;; esac
    [ "$args" != - ] || args=""
    args=${args//\{data\}/$scratch/data}
    args=${args//\{scratch\}/$scratch}
    args=${args//\{inputs\}/$scratch/inputs}
    for flavour in ${flavours//,/ }; do
      record="$flavour/$name.json"
      command="$scratch/$flavour/$program"
      case "$record" in *"$filter"*) ;; *) continue ;; esac
      if [ ! -x "$programs/$flavour/$program" ]; then
        die "$suite names $flavour/$program, which is not in $programs: build the target guest_programs"
      fi
      printf '%s\t%s%s\n' "$record" "$command" "${args:+ $args}" >>"$work/jobs"
    done
  done <"$suite"
  [ -s "$work/jobs" ] || die "$suite has nothing to record${filter:+ that fits $filter}"
}

make_root_image() {
  local root="$work/root" page
  rm -rf "$root" "$work/root.img" "$work/records.img"
  mkdir -p "$root"/{bin,sbin,dev,proc,sys,etc,records} "$root$scratch"
  # Shells look their user up.
  echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo 'passwd: files' >"$root/etc/nsswitch.conf"
  cp "$deps/busybox/bin/busybox" "$root/bin/"
  cp "$here/guest.sh" "$root/sbin/reference"
  cp "$recorder" "$root/sbin/record"
  chmod 755 "$root/sbin/reference" "$root/sbin/record"
  cp "$work/jobs" "$root/jobs"
  cp -r "$programs/." "$root$scratch/"
  # As the host's suite does it: programs print this time.
  touch -d '2020-01-01 00:00:00 UTC' "$root$scratch"/inputs/*
  # 300 pages, each of which starts with its number: tests/guest_programs/support/data_file.h.
  for ((page = 0; page < 300; page++)); do
    printf "\\x$(printf %02x $((page & 255)))\\x$(printf %02x $((page >> 8)))"
    head -c 4094 /dev/zero
  done >"$root/pristine-data"
  # Blocks of 4 KiB, as the rules were measured; no journal traffic beside the programs' own.
  mke2fs -q -F -t ext4 -b 4096 -E root_owner=0:0 -d "$root" "$work/root.img" 512m >/dev/null ||
    die "mke2fs could not make the root image"
  truncate -s 256M "$work/records.img"
}

# Shows the machine's progress lines and keeps everything else in the log.
show_progress() {
  local line count total record terminal=""
  [ ! -t 2 ] || terminal=yes
  while IFS= read -r line; do
    line=${line%$'\r'}
    printf '%s\n' "$line" >>"$work/console.log"
    case "$line" in
      @job*)
        read -r _ count total record <<<"$line"
        if [ -n "$terminal" ]; then
          printf '\r\033[K[%s/%s] %s' "$count" "$total" "$record" >&2
        elif [ $((count % 20)) = 0 ]; then
          printf '[%s/%s]\n' "$count" "$total" >&2
        fi
        ;;
      @bad* | @failed*) printf '%s%s\n' "${terminal:+$'\r\033[K'}" "${line#@}" >&2 ;;
      @done*) [ -z "$terminal" ] || printf '\r\033[K' >&2 ;;
    esac
  done
}

boot() {
  local started=$SECONDS good bad
  : >"$work/console.log"
  # No network and no other device, so that nothing but the suite runs.
  timeout "$limit_seconds" "$qemu" -accel "$accel" -cpu "$cpu" -m "$memory" -nodefaults -no-user-config \
    -display none -no-reboot -serial stdio -kernel "$kernel"/boot/vmlinuz-"$base"* -initrd "$work/initramfs.gz" \
    -append "console=ttyS0 quiet nokaslr mitigations=off transparent_hugepage=never panic=-1" \
    -drive "file=$work/root.img,format=raw,if=virtio" -drive "file=$work/records.img,format=raw,if=virtio" \
    </dev/null 2>"$work/qemu.log" | show_progress || true
  # The last line is read from the log, for the reader above ran in a subshell.
  if ! read -r _ good bad < <(grep '^@done' "$work/console.log"); then
    tail -n 5 "$work/qemu.log" "$work/console.log" >&2
    die "the machine did not finish within $limit_seconds s; its console is in $work/console.log"
  fi
  say "$good records in $((SECONDS - started)) s${bad:+, $bad failed}"
  [ "$bad" = 0 ] || die "the recorder failed for $bad of $((good + bad)) programs (above, and in $work/console.log)"
}

install_packages qemu-system-x86 cpio e2fsprogs binutils xz-utils
command -v "$qemu" >/dev/null || die "$qemu is needed (Debian: qemu-system-x86)"
[ -x "$recorder" ] || die "no recorder at $recorder: build the target faultline-record$bits"
mkdir -p "$work"
fetch_kernel
make_jobs
make_initramfs
make_root_image
say "booting $(basename "$kernel"/boot/vmlinuz-*) with $(wc -l <"$work/jobs") jobs"
boot
mkdir -p "$out"
tar -xf "$work/records.img" -C "$out"
say "records are in $out"
