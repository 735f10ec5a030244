# Shared by the .bats files: an engine of the test's own, and helpers to look at what labctl prints.
# Everything listens below $LABD_SOCKET's directory (tests/run sets it); nothing touches the machine's labd.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
PATH=$BUILD:$PATH
export LABD_LABS=$ROOT/labs NO_COLOR=1 LC_ALL=C.UTF-8

own_engine() {
	TEST_DIR=$(mktemp -d)
	export TEST_DIR LABD_SOCKET=$TEST_DIR/run/labd.sock
}

end_engine() {
	labctl down --all >/dev/null 2>&1 || true
	labctl engine stop >/dev/null 2>&1 || true
	local i
	for i in $(seq 100); do
		# its directory last: until then it waits for what labs leave behind
		[ -e "$LABD_SOCKET" ] || [ -e "$LABD_SOCKET.guest" ] || [ -e "$TEST_DIR/run" ] || break
		sleep 0.1
	done
	rm -rf "$TEST_DIR"
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# Under the address sanitizer (make check-asan) there is no guest: its shadow, 15 TB of addresses, does not fit in there.
sanitized() {
	grep -q __asan_init "$BUILD/labd"
}
! sanitized || export LABD_GUEST_KERNEL=/nonexistent

have_guest() {
	command -v linux.uml >/dev/null && ! sanitized
}

need_guest() {
	have_guest || skip "needs user-mode-linux, and no address sanitizer"
}

# What the last `run` ended with and printed is shown when it is not what it should be.
#
# exits CODE: it ended so.
exits() {
	[ "$status" = "$1" ] || {
		echo "exit code $status, not $1"
		echo "$output"
		return 1
	}
}

# is TEXT: it printed that and nothing else.
is() {
	[ "$output" = "$1" ] || {
		echo "not: $1"
		echo "$output"
		return 1
	}
}

# has PATTERN: a line matches the extended regular expression.
has() {
	grep -qE -- "$1" <<<"$output" || {
		echo "no line matches: $1"
		echo "$output"
		return 1
	}
}

hasnt() {
	! grep -qE -- "$1" <<<"$output" || {
		echo "a line matches: $1"
		echo "$output"
		return 1
	}
}
