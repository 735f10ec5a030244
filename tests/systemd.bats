# The units of docs/systemd under a real systemd, in a guest; what systemd-analyze says of them: escape.bats.

load lib/common.bash

setup() {
	need_root
	need_guest
	[ -x /lib/systemd/systemd ] || skip "needs systemd"
}

@test "labd's units under systemd: started by the socket, a lab, restarted, killed, stopped" {
	export BUILD
	cd "$ROOT"
	run tests/lib/in-guest tests/lib/under-systemd /dev/shm/units tests/lib/systemd-life
	echo "$output"
	exits 0
}
