# Nothing lost, nothing left: labd killed, or the kernel refusing, at every step of every verb that changes something.
# tests/lib/kill.bash says how; `make check` takes a sample of the steps, `make check-long` all of them.

load lib/common.bash
load lib/kill.bash

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	own_engine
	idle_engine
}

teardown_file() {
	[ -z "${TEST_DIR:-}" ] || end_engine
}

setup() {
	need_root
}

@test "labd is killed: up" { row up kill; }
@test "labd is killed: down" { row down kill; }
@test "labd is killed: apply" { row apply kill; }
@test "labd is killed: delete" { row delete kill; }
@test "labd is killed: scale" { row scale kill; }
@test "labd is killed: diff --fix" { row diff kill; }
@test "labd is killed: trace" { row trace kill; }
@test "labd is killed: exec" { row exec kill; }
@test "labd is killed: finishing what another left" { start_row; }
@test "a session is killed, labd lives: up" { row up crash; }
@test "a session is killed, labd lives: down" { row down crash; }
@test "a session is killed, labd lives: apply" { row apply crash; }
@test "a session is killed, labd lives: trace" { row trace crash; }
@test "the kernel refuses: up" { row up fail; }
@test "the kernel refuses: down" { row down fail; }
@test "the kernel refuses: apply" { row apply fail; }
@test "the kernel refuses: delete" { row delete fail; }
@test "the kernel refuses: scale" { row scale fail; }
@test "the kernel refuses: diff --fix" { row diff fail; }
@test "the kernel refuses: trace" { row trace fail; }
@test "the kernel refuses: exec" { row exec fail; }
@test "nothing of all that is left" { nothing_left; }
