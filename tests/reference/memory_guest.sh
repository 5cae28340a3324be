#!/bin/busybox sh
# shellcheck shell=dash
# memory_guest.sh: /init of the machine that memory.sh boots; prints what the kernel says of its memory, then ends.
export PATH=/bin
bb() { /bin/busybox "$@"; }
bb mkdir -p /proc /sys
bb mount -t proc proc /proc
bb mount -t sysfs sysfs /sys
# The console must not mix the kernel's own lines in.
echo 1 >/proc/sys/kernel/printk

show() {
  echo "@file $1"
  bb cat "$2"
  echo "@end"
}
for name in zoneinfo buddyinfo pagetypeinfo meminfo slabinfo vmallocinfo iomem vmstat cmdline filesystems swaps version stat; do
  show "$name" "/proc/$name"
done
for file in /proc/sys/vm/*; do
  [ ! -r "$file" ] || [ "${file##*/}" = compact_memory ] || [ "${file##*/}" = drop_caches ] || show "${file##*/}" "$file"
done
echo "@file sys_vm_modes"
bb ls -l /proc/sys/vm
echo "@end"
echo "@file proc_modes"
bb ls -l /proc
echo "@end"
echo "@file sys_node"
bb ls -lR /sys/devices/system /sys/kernel/mm
echo "@end"
[ ! -r /sys/kernel/mm/transparent_hugepage/enabled ] || show thp /sys/kernel/mm/transparent_hugepage/enabled
echo "@file free"
bb free
echo "@end"
echo "@file dmesg"
bb dmesg
echo "@end"
# Watermarks are computed once at boot, when init memory and the initramfs are not yet free. Writing the same value again
# computes them from the managed pages that zoneinfo shows.
bb cat /proc/sys/vm/min_free_kbytes >/value
bb cat /value >/proc/sys/vm/min_free_kbytes
show zoneinfo_rewritten /proc/zoneinfo
echo 200 >/proc/sys/vm/watermark_scale_factor
show zoneinfo_scale_200 /proc/zoneinfo
echo "@done"
bb poweroff -f
