# Here-documents: expansion, quoting, tabs, nesting, long ones (more than a pipe holds).
name=world
$BB cat <<END
hello $name $(echo from "a command") $((6 * 7)) \$name
END
$BB cat <<'END'
no $expansion `here` \$
END
$BB cat <<-END
	tabs are
		cut off
	END
$BB tr a-z A-Z <<A | $BB rev
pipe
A
while read -r l; do echo "<$l>"; done <<END
one
  two
three \\
END
f() { $BB cat; }
f <<X
function $1 input
X
$BB cat <<A; $BB cat <<B
first
A
second
B
x=$($BB cat <<END
in a substitution
END
); echo "[$x]"
long=$($BB seq 1 30000)
$BB wc -c <<END | $BB tr -d ' '
$long
END
$BB cat /dev/fd/3 3<<END 2>/dev/null || echo "no /dev/fd"
on descriptor three
END
read -r a b <<END
left right and more
END
echo "$b/$a"
