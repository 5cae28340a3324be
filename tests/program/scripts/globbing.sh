# Patterns over files in /tmp.
d=$($BB mktemp -d /tmp/faultline.XXXXXX) && cd "$d" || exit 99
for f in a.txt b.txt c.dat .hidden 'with space' ab abc abd A1 B2; do : > "$f"; done
$BB mkdir -p sub/deep sub2; : > sub/x; : > sub/y.txt; : > sub/deep/z
echo *
echo *.txt
echo a*
echo ?b ab?
echo [A-B]*
echo [!a]*.txt
echo .h*
echo */*
echo */*/*
echo none*
for f in w*; do echo "[$f]"; done
echo "*.txt" '*'
set -f; echo *; set +f
case abc in a?c) echo matched;; esac
case 'a*c' in a\*c) echo literal;; esac
set -- *; echo $#
$BB rm -- *.txt; echo *
$BB mv 'with space' moved; echo m*
for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > "n$i"; done
$BB cat n? n??; echo n[1-3] n1*
$BB ls -1 | $BB wc -l | $BB tr -d ' '
$BB find . -name 'n*' | $BB sort | $BB head -n 3
$BB ln -s sub link; echo link/*
$BB rm link; $BB rm -r sub sub2; echo *
cd / && $BB rm -r "$d" && [ ! -e "$d" ] && echo cleaned
