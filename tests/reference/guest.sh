#!/bin/busybox sh
# shellcheck shell=dash
# guest.sh: what runs inside the reference machine, under Debian's i386 kernel; reference.sh puts it there twice.
#
#   as /init of the initramfs       loads the modules of virtio and ext4, mounts the root image, goes on there
#   as /sbin/reference of the image runs the recorder once for each line of /jobs, writes the records to /dev/vdb as a tar
#
# Lines that start with @ are for reference.sh; it ends the machine if the last one does not come.
export PATH=/bin
bb() { /bin/busybox "$@"; }
stop() {
  echo "@failed $*"
  bb poweroff -f
}

if [ -d /modules ]; then
  bb mkdir -p /proc /sys /dev /root
  bb mount -t proc proc /proc
  bb mount -t sysfs sysfs /sys
  bb mount -t devtmpfs devtmpfs /dev
  for module in /modules/*.ko; do
    bb insmod "$module" || stop "insmod $module"
  done
  # The disks appear some time after their driver.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -b /dev/vda ] || [ ! -b /dev/vdb ] || break
    bb sleep 1
  done
  bb mount -t ext4 -o noatime /dev/vda /root || stop "mount /dev/vda"
  for folder in proc sys dev; do
    bb mount --move "/$folder" "/root/$folder" || stop "move /$folder"
  done
  exec /bin/busybox switch_root /root /sbin/reference
fi

# In the root image, still process 1.
bb mount -t tracefs tracefs /sys/kernel/tracing || stop "mount tracefs"
bb hostname faultline
bb mkdir -p /dev/shm
bb mount -t tmpfs tmpfs /dev/shm || stop "mount tmpfs"
# A read waits until the kernel's random numbers are ready. Until then getrandom(GRND_NONBLOCK) fails, which libc's malloc
# asks first, and the programs would go another way than on a machine that has been up for some time.
bb dd if=/dev/random of=/dev/null bs=1 count=1 2>/dev/null
scratch=/tmp/faultline-suite
total=$(bb wc -l </jobs)
count=0
failures=0
tab=$(printf '\t')
# Words of a command are split at spaces and mean nothing else.
set -f

# One line of /jobs: record file <TAB> folder of the program <TAB> command, separated by single spaces.
while IFS="$tab" read -r record command; do
  count=$((count + 1))
  echo "@job $count $total $record"
  bb mkdir -p "/records/${record%/*}"
  cd "$scratch" || stop "no $scratch"
  # Programs that the first one starts.
  others=""
  for word in ${command#* }; do
    case "$word" in "$scratch"/*/*) [ ! -x "$word" ] || others="$others --other $word" ;; esac
  done
  # shellcheck disable=SC2086
  if ! bb timeout -s KILL 120 /sbin/record --runs 5 --clear-env --env A=1 --renew "$scratch/data=/pristine-data" $others \
    --output "/records/$record" -- $command </dev/null >/log 2>&1; then
    failures=$((failures + 1))
    echo "@bad $record: $(bb tail -n 1 /log)"
  fi
done </jobs

cd /records || stop "no records"
bb tar -cf /dev/vdb . || stop "tar"
bb sync
echo "@done $((count - failures)) $failures"
bb poweroff -f
