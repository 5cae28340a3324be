# exec, commands that cannot be run, scripts run by #!, the environment that a program gets.
cd "$TEST_DIR" || exit 99
( exec $BB echo replaced; echo "not reached" )
( exec /nonexistent/program ) 2>/dev/null; echo "missing: $?"
/nonexistent/program 2>/dev/null; echo "missing: $?"
echo text > data; $BB chmod 644 data; ./data 2>/dev/null; echo "no right to run: $?"
./ 2>/dev/null; echo "a folder: $?"
$BB printf '#!%s sh\necho "script $0 got $# arguments: $1 $2"\nexit 17\n' "$BB" > script; $BB chmod 755 script
./script first 'second one'; echo "status $?"
$BB printf 'echo "no interpreter line, $1"\n' > plain; $BB chmod 755 plain
# mksh has /bin/sh run such a script, which is a program of the host.
[ -n "$KSH_VERSION" ] || ./plain argument; echo "status $?"
$BB printf '#!/nonexistent/interpreter\n' > bad; $BB chmod 755 bad; ./bad 2>/dev/null; echo "bad interpreter: $?"
$BB printf '#!%s/script\n' "$TEST_DIR" > second; $BB chmod 755 second; ./second a b; echo "script as interpreter: $?"
VAR=set $BB sh -c 'echo "VAR=$VAR"'; VAR=unset; $BB sh -c 'echo "VAR=$VAR"'; export VAR; $BB sh -c 'echo "VAR=$VAR"'
$BB env -i A=1 B=2 $BB env
$BB sh -c 'echo "$0 $1 $#"' name one two
( exec 3>kept; exec $BB sh -c 'echo through >&3' ); $BB cat kept
$BB sh -c 'exec $BB sh -c "exec $BB sh -c \"exit 8\""'; echo "chain: $?"
i=0; while [ $i -lt 30 ]; do $BB true || echo failed; i=$((i + 1)); done; echo "$i runs"
$BB printf '\177ELFjunk' > elf; $BB chmod 755 elf; ./elf 2>/dev/null; echo "broken ELF fails: $([ $? != 0 ] && echo yes)"
: > empty; $BB chmod 755 empty; [ -n "$KSH_VERSION" ] || ./empty; echo "empty file: $?"
