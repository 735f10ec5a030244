# The kill matrix (kill.bats): one row is a verb and a fault; for every step K of the verb's call the fault is
# injected there (labd/kernel/fault.h), then the lab must be there whole or not at all, and the machine as before.
#
# KILL_LAB    the lab                                  KILL_EVERY  every how many-th step (1: all)
# KILL_FROM   the first one                            LABD_FAULTS=all: all steps, not only the first of each place
# KILL_ENGINE host or guest                            KILL_CODES  errors with which the kernel refuses: by turns, or
#                                                      "all": each at each step

KILL_LAB=${KILL_LAB:-flannel-vxlan}
KILL_EVERY=${KILL_EVERY:-37}
KILL_FROM=${KILL_FROM:-2}
PICTURE_EVERY=8 # steps: what is left behind stays, so it need not be looked for after each
CODES=(12 16 1 28) # ENOMEM EBUSY EPERM ENOSPC
DEPLOY=nginx-deployment
CLIENT=busybox3

export LABD_FAULTS=${LABD_FAULTS:-1} LABCTL_ENGINE=${KILL_ENGINE:-host}

picture() {
	"$ROOT/tests/lib/host-state" "$TEST_DIR/run"
}

# The machine is as in the picture $1. What the kernel takes down in the background gets a moment.
same_as() {
	local i
	for i in $(seq 40); do
		picture >"$TEST_DIR/now"
		cmp -s "$1" "$TEST_DIR/now" && return 0
		sleep 0.25
	done
	lsns -t net -o NS,PID,COMMAND # who is in one too many
	diff "$1" "$TEST_DIR/now"
}

# An idle engine that has been used, as the picture to compare with.
idle_engine() {
	labctl up "$KILL_LAB" >/dev/null
	labctl down --all >/dev/null
	picture >"$TEST_DIR/idle"
}

lab_up() {
	labctl ls -o name | grep -qx "$KILL_LAB" || labctl up "$KILL_LAB" >/dev/null
}

lab_down() {
	labctl down --all >/dev/null
}

# What a trace changes in the nodes while it runs.
inside() {
	local n
	for n in $(labctl get nodes -o name | cut -d/ -f2); do
		labctl exec "node/$n" -- sh -c 'nft list tables; iptables-legacy -t raw -S; iptables-legacy -t mangle -S
			cat /proc/sys/net/netfilter/nf_log/2' 2>&1
	done
}

# ---- the verbs: before_VERB makes the state it starts from, do_VERB is it, after_VERB judges ----

before_up() { lab_down; }
do_up() { labctl up "$KILL_LAB"; }
after_up() { whole_or_gone; }

before_down() { lab_up; }
do_down() { labctl down "$KILL_LAB"; }
after_down() { whole_or_gone; }

replicas() { labctl get pods -o name | grep -c "^pod/$DEPLOY-"; }
before_scale() {
	lab_up
	had=$(replicas)
	want=$((had == 3 ? 2 : 3))
}
do_scale() { labctl scale "deploy/$DEPLOY" --replicas "$want"; }
after_scale() {
	whole
	now=$(replicas)
	[ "$now" = "$had" ] || [ "$now" = "$want" ] || wrong scale '' '' "$now pods"
}

before_apply() {
	lab_up
	labctl delete deploy/more >/dev/null 2>&1 || true
	labctl delete svc/more >/dev/null 2>&1 || true
	cat >"$TEST_DIR/more.yaml" <<-'Y'
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: more}
		spec:
		  replicas: 2
		  selector: {matchLabels: {app: more}}
		  template:
		    metadata: {labels: {app: more}}
		    spec: {containers: [{name: c, image: agnhost}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: more}
		spec: {selector: {app: more}, ports: [{port: 80, targetPort: 8080}]}
	Y
}
do_apply() { labctl apply -f "$TEST_DIR/more.yaml"; }
after_apply() { whole; }

before_delete() {
	before_apply
	labctl apply -f "$TEST_DIR/more.yaml" >/dev/null
}
do_delete() { labctl delete -f "$TEST_DIR/more.yaml"; }
after_delete() { whole; }

before_diff() {
	lab_up
	labctl exec node/node01 -- iptables -t nat -F KUBE-SERVICES
	labctl exec node/node02 -- sh -c 'ip route flush 10.244.0.0/16 || true; ip link set lo down'
}
do_diff() { labctl diff --fix; }
after_diff() {
	labctl diff --fix >/dev/null
	whole
}

before_exec() { lab_up; }
do_exec() { labctl exec "$CLIENT" -- true; }
after_exec() { whole; }

before_trace() {
	lab_up
	[ -e "$TEST_DIR/inside" ] || inside >"$TEST_DIR/inside"
}
do_trace() { labctl trace "$CLIENT" "$DEPLOY:80" -o json >/dev/null; }
after_trace() {
	local i
	labctl ls >/dev/null
	for i in $(seq 40); do
		inside >"$TEST_DIR/inside.now"
		cmp -s "$TEST_DIR/inside" "$TEST_DIR/inside.now" && break
		sleep 0.1
	done
	diff "$TEST_DIR/inside" "$TEST_DIR/inside.now"
}

# ---- judging ----

# The lab is as its objects say.
whole() {
	local i
	for i in 1 2 3 4 5; do # a labd that lives is putting it right just now
		labctl diff >"$TEST_DIR/diff" 2>&1 && return 0
		sleep 0.3
	done
	cat "$TEST_DIR/diff"
	return 1
}

whole_or_gone() {
	local i
	for i in $(seq 40); do # a labd that lives is putting it right just now
		labctl ls -o name >"$TEST_DIR/ls"
		grep -qx "$KILL_LAB" "$TEST_DIR/ls" || return 0
		labctl diff >"$TEST_DIR/diff" 2>&1 && return 0
		sleep 0.2
	done
	cat "$TEST_DIR/ls" "$TEST_DIR/diff"
	return 1
}

# The verb ended as it should: done; or with one line that says what happened (130: what labd could not send to the
# client counts as a client that is gone).
answered() {
	[ "$1" = 0 ] && return 0
	[ "$1" -lt 7 ] || [ "$1" = 130 ] && grep -qE '^labctl: .{10}' "$TEST_DIR/out"
}

# Why a row failed: what the call said.
wrong() {
	echo "$KILL_LAB: $1 with fault \"$2\" at step $3: $4"
	sed 's/^/  said: /' "$TEST_DIR/out"
	return 1
}

# After a number of steps: nothing has been left behind by any of them. What is left stays, so one need not look each time.
nothing_left() {
	lab_down
	same_as "$TEST_DIR/idle"
}

# row VERB FAULT [ERRNO]
row() {
	local verb=$1 fault=$2 k=$KILL_FROM n=0 status code
	if [ "$fault" = fail ] && [ "${KILL_CODES:-}" = all ] && [ $# = 2 ]; then
		for code in "${CODES[@]}"; do
			row "$verb" fail "$code" || return 1
		done
		return 0
	fi
	while :; do
		"before_$verb" || wrong "$verb" "$fault" "$k" "before it" || return 1
		code=${3:-${CODES[$((k % 4))]}}
		status=0
		LABCTL_FAULT="$verb $fault $k $code" "do_$verb" >"$TEST_DIR/out" 2>&1 || status=$?
		answered $status || wrong "$verb" "$fault" "$k" "exit code $status" || return 1
		"after_$verb" || wrong "$verb" "$fault" "$k" "after it" || return 1
		n=$((n + 1))
		[ $((n % PICTURE_EVERY)) != 0 ] || nothing_left || wrong "$verb" "$fault" "$k" "left behind, by this or one of $PICTURE_EVERY before" || return 1
		if grep -qE '^fault: [0-9]+ steps$' "$TEST_DIR/out"; then
			[ $status = 0 ] || wrong "$verb" "$fault" "$k" "failed without a fault" || return 1
			break
		fi
		[ "$k" -lt 5000 ] || wrong "$verb" "$fault" "$k" "no end of steps" || return 1
		k=$((k + KILL_EVERY))
		# A guest's init gives up at ten deaths in ten seconds.
		[ "${KILL_ENGINE:-host} $fault" != "guest kill" ] || sleep 1
	done
	if [ "$KILL_EVERY" -lt 10 ]; then # a sample is looked at when all is over
		nothing_left || wrong "$verb" "$fault" "$k" "left behind at the end" || return 1
	fi
	echo "# $verb, $fault${3:+ $3}: $n of $(sed -nE 's|^fault: ([0-9]+) .*|\1|p' "$TEST_DIR/out") steps" >&3
	[ "$n" -gt 1 ]
}

# start_row: a labd that finds a change half done is killed at every step of its own start (LABD_FAULT), until there is no
# such step any more.
start_row() {
	local k=1 n=0
	while :; do
		before_apply
		LABCTL_FAULT="apply kill 60" do_apply >"$TEST_DIR/out" 2>&1 && wrong apply kill 60 "not killed"
		if LABD_FAULT="kill $k" labctl engine start >"$TEST_DIR/out" 2>&1; then
			after_apply || wrong start kill "$k" "after no fault" || return 1
			break
		fi
		grep -qE '^labctl: the (host engine did not start: |(host )?engine has gone away)' "$TEST_DIR/out" || wrong start kill "$k" "labctl" || return 1
		after_apply || wrong start kill "$k" "after it" || return 1
		n=$((n + 1))
		[ $((n % PICTURE_EVERY)) != 0 ] || nothing_left || wrong start kill "$k" "left behind" || return 1
		k=$((k + (KILL_EVERY + 4) / 5))
	done
	labctl engine stop >/dev/null # who would kill it stands beside it
	echo "# start, kill: $n times, the last step is before $k" >&3
	[ "$n" -gt 1 ]
}
