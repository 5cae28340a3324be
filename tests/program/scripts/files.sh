# A script that works on files with many small programs.
cd "$TEST_DIR" || exit 99
$BB mkdir -p tree/a/b tree/c; for i in 1 2 3 4 5; do echo "content $i" > tree/a/f$i; $BB seq $i > tree/c/n$i; done
$BB cp -r tree copy; $BB diff -r tree copy && echo "the same"
echo changed >> copy/a/f3; $BB diff -r tree copy | $BB tail -n 1
$BB find tree -type f | $BB sort | while read -r f; do $BB printf '%s %s\n' "$f" "$($BB wc -c < "$f" | $BB tr -d ' ')"; done
$BB tar cf t.tar tree; $BB mkdir out; $BB tar xf t.tar -C out; $BB diff -r tree out/tree && echo "unpacked"
$BB gzip -c t.tar > t.gz; $BB gunzip -c t.gz | $BB cmp - t.tar && echo "gzip"
$BB find tree -name 'n*' -exec $BB cat {} + | $BB sort -n | $BB uniq -c | $BB tr -s ' '
$BB sed -i 's/content/CONTENT/' tree/a/f*; $BB grep -rl CONTENT tree | $BB sort
$BB find tree -type f | $BB sort | $BB xargs -n 1 $BB basename | $BB tr '\n' ' '; echo
$BB dd if=/dev/zero bs=1k count=64 2>/dev/null | $BB md5sum
$BB ln tree/a/f1 hard; $BB ln -s tree/a/f2 soft; $BB cat hard soft; $BB readlink soft
$BB mv tree moved; $BB ls moved
$BB awk '{ n[length($0)]++ } END { for (l in n) print l, n[l] }' moved/a/f* moved/c/n5 2>/dev/null | $BB sort -n
for i in 1 2 3; do $BB seq 1 $i | $BB md5sum | $BB cut -c1-8; done
$BB sort -r numbers 2>/dev/null || echo "no file"
$BB touch -d '2020-01-01 00:00:00' old; $BB touch new; [ new -nt old ] && echo newer
$BB rm -r moved copy out; $BB ls
