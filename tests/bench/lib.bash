# shellcheck shell=bash disable=SC2154,SC2013 # variables of run
# Shared by the parts of the bench: clocks, medians, rows.
declare -A times

# now: microseconds, into $REPLY (no subshell: its start is what we measure elsewhere)
now() { REPLY=${EPOCHREALTIME/./}; }

# note NAME MICROSECONDS
note() { times[$1]+="$2 "; }

# timed NAME COMMAND...: run it and keep its microseconds
timed() {
	local name=$1 t0
	shift
	now && t0=$REPLY
	must "$@"
	now && note "$name" $((REPLY - t0))
}

must() {
	"$@" >"$TEST_DIR/out" 2>&1 || {
		tail -n 5 "$TEST_DIR/out"
		echo "bench: $* failed"
		exit 1
	}
}

# noted NAME COMMAND...: a program that prints "up_us=N down_us=N ..."
noted() {
	local name=$1 pair
	shift
	must "$@"
	for pair in $(grep -o '[a-z]*_us=[0-9]*' "$TEST_DIR/out"); do
		note "$name-${pair%%_*}" "${pair#*=}"
	done
}

median() { tr ' ' '\n' <<<"${times[$1]:-}" | grep . | sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

# row TEXT NAME [BASE...]: the median, and how many times that of each base it is
row() {
	local text=$1 name=$2 base
	[ -n "${times[$name]:-}" ] || return 0
	printf '%-44s %12.1f' "$text" "$(awk -v m="$(median "$name")" 'BEGIN {print m / 1000}')"
	shift 2
	for base; do
		if [ -n "${times[$base]:-}" ]; then
			awk -v m="$(median "$name")" -v b="$(median "$base")" 'BEGIN {printf " %9.2f", m / b}'
		else
			printf ' %9s' -
		fi
	done
	echo
}

# settle: until the kernel has let go of all that ended, so that it isn't charged to the next one
settle() { must "$tools/floor" gone; }
