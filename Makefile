# labd: build, test and install. `make help` lists the targets.
VERSION  := 0.1.0
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
CC_INIT  ?= $(or $(shell command -v musl-gcc),$(CC))
Q        := $(if $(V),,@)

PKGS_LIB  := jansson libmd
PKGS_CTL  := yaml-0.1
PKGS_LABD := libmnl libnl-3.0 libnl-route-3.0 libsystemd

WARN     := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef -Wformat=2 -Wno-unused-parameter
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifneq ($(SAN),) # the sanitizers look into what _FORTIFY_SOURCE would hide
HARDEN := -fPIE -fno-omit-frame-pointer
# gcc 12 errs about these when it instruments; clang does not know them
WARN   += $(if $(findstring clang,$(CC)),,-Wno-format-truncation -Wno-format-overflow)
endif
OPT      ?= -O2 -g
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS_LIB) $(PKGS_CTL) $(PKGS_LABD) 2>/dev/null)
CFLAGS_ALL := -std=gnu17 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) -I. $(PKG_CFLAGS) \
              -DLABD_VERSION='"$(VERSION)"' $(SAN) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) $(LDFLAGS)

LIBS_CTL  = $(shell pkg-config --libs $(PKGS_LIB) $(PKGS_CTL))
LIBS_LABD = $(shell pkg-config --libs $(PKGS_LIB) $(PKGS_LABD))
# Calls of the kernel that faults can be injected into (labd/kernel/fault.h).
WRAP := $(shell sed -nE 's/^STEP.[^,]+, [^,]+, ([a-z0-9_]+),.*/-Wl,--wrap=\1/p; s/^[a-z_]+ __wrap_([a-z0-9_]+).*/-Wl,--wrap=\1/p' labd/kernel/fault.c | sort -u)

SRC_LIB   := $(wildcard lib/base/*.c lib/kube/*.c lib/wire/*.c lib/plan/*.c lib/recording/*.c)
SRC_CTL   := $(wildcard labctl/*.c lib/yaml/*.c lib/view/*.c)
SRC_LABD  := $(wildcard labd/*.c labd/kernel/*.c labd/lab/*.c labd/trace/*.c labd/guest/*.c labd/user/*.c)
SRC_INIT  := $(wildcard labd/init/*.c)
SRC_TEST  := $(wildcard tests/unit/test_*.c)

# What client and daemon compare (wire_build()): the version and a digest of all sources.
BUILD_ID  := $(shell cat $(SRC_LIB) $(SRC_CTL) $(SRC_LABD) $(SRC_INIT) 2>/dev/null | sha1sum | cut -c1-8)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
OBJ_LIB   := $(call obj,$(SRC_LIB))
OBJ_CTL   := $(call obj,$(SRC_CTL))
OBJ_LABD  := $(call obj,$(SRC_LABD))
OBJ_INIT  := $(call obj,$(SRC_INIT))
TESTS     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(SRC_TEST))
# What unit tests link against: everything but the mains.
OBJ_TEST  := $(OBJ_LIB) $(filter-out %/labctl/main.o,$(OBJ_CTL)) $(filter-out %/labd/main.o,$(OBJ_LABD))

.PHONY: all
all: $(BUILD)/labctl $(BUILD)/labd $(BUILD)/labd-init

$(BUILD)/labctl: $(OBJ_CTL) $(OBJ_LIB)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CTL)
$(BUILD)/labd: $(OBJ_LABD) $(OBJ_LIB)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAP) -o $@ $^ $(LIBS_LABD)
# PID 1 of nodes and pods: static, so that it starts in any file system view and fast. With musl
# it is an eighth of the size, and its start asks the processor nothing: each CPUID of glibc's start
# is a trap of a virtual machine, in all a tenth of the time that a pod takes.
$(BUILD)/labd-init: $(OBJ_INIT)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC_INIT) -static -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^
$(BUILD)/libtest.a: $(OBJ_TEST)
	@rm -f $@; ar rcs $@ $^
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAP) -o $@ $< $(BUILD)/libtest.a $(LIBS_CTL) $(LIBS_LABD) -lcmocka
$(BUILD)/obj/labd/init/%.o: labd/init/%.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo '  CC    $<')
	$(Q)$(CC_INIT) $(filter-out $(SAN),$(CFLAGS_ALL)) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo '  CC    $<')
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(BUILD)/obj/lib/wire/wire.o: CFLAGS_ALL += -DLABD_BUILD='"$(BUILD_ID)"'
$(BUILD)/obj/lib/wire/wire.o: $(BUILD)/id
$(BUILD)/id: FORCE
	@mkdir -p $(@D); echo $(BUILD_ID) | cmp -s - $@ || echo $(BUILD_ID) >$@
.PHONY: FORCE
FORCE:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- packages -------------------------------------------------------------------------------

DEPS_BUILD := gcc make musl-tools pkg-config libnl-3-dev libnl-route-3-dev libmnl-dev \
              libyaml-dev libjansson-dev libmd-dev uthash-dev libsystemd-dev
DEPS_RUN   := iproute2 iptables ipset ipvsadm nftables conntrack bridge-utils net-tools curl tcpdump \
              busybox-static nginx-light dnsmasq-base bird2 user-mode-linux procps
DEPS_TEST  := strace libcmocka-dev bats clang libclang-rt-14-dev clang-format jq kmod man-db tshark \
              libxml2-utils uidmap

DEPS_BENCH := mininet

.PHONY: deps deps-test bench-deps
deps:
	@tests/lib/packages $(DEPS_BUILD) $(DEPS_RUN)
deps-test:
	@tests/lib/packages $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)

# ---- what people run ------------------------------------------------------------------------

.PHONY: demo check check-long kill-in-guest check-asan check-leaks check-arch unit check-style asan bench help
# Everything from a fresh clone: packages, build, a cluster, a packet.
demo: deps
	@$(MAKE) --no-print-directory -s all
	@docs/demo.sh

# All tests. The last line is "N passed, M failed".
check: deps-test
	@$(MAKE) --no-print-directory -s all tests
	@BUILD=$(BUILD) tests/run

# The same, and the kill matrices (tests/kill*.bats) at every step, with every error, instead of a sample; the host engine's
# once more in a guest, where the Calico lab is, at every KILL_IN_GUEST-th step.
KILL_IN_GUEST ?= 5
check-long: deps-test
	@$(MAKE) --no-print-directory -s all tests
	@BUILD=$(BUILD) KILL_EVERY=1 KILL_FROM=1 KILL_CODES=all KILL_ALL_PARTS=1 SUITE_TIMEOUT=14400 tests/run
	@$(MAKE) --no-print-directory -s kill-in-guest
	@$(MAKE) --no-print-directory -s check-leaks
kill-in-guest: all
	@BUILD=$(BUILD) KILL_LAB=calico-ipip KILL_EVERY=$(KILL_IN_GUEST) tests/lib/in-guest bats tests/kill.bats

.PHONY: tests
TOOLS := $(BUILD)/tests/transcript $(BUILD)/tests/stream
tests: $(TESTS) $(TOOLS) $(BUILD)/tests/escape
# Put into nodes and pods, so static.
$(BUILD)/obj/tests/lib/escape.o: CFLAGS_ALL := $(filter-out $(SAN),$(CFLAGS_ALL))
$(BUILD)/tests/escape: $(BUILD)/obj/tests/lib/escape.o
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) -static $(LDFLAGS) -o $@ $<
$(TOOLS): $(BUILD)/tests/%: $(BUILD)/obj/tests/lib/%.o $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAP) -o $@ $< $(BUILD)/libtest.a $(LIBS_CTL) $(LIBS_LABD)

# The tree by another architecture's compiler (apt-get install gcc-aarch64-linux-gnu); nothing is linked.
ARCH ?= aarch64
check-arch:
	@for f in $(SRC_LIB) $(SRC_CTL) $(SRC_LABD) $(SRC_INIT); do \
		$(ARCH)-linux-gnu-gcc $(CFLAGS_ALL) -DLABD_BUILD='""' -idirafter /usr/include -S -o /dev/null $$f || exit 1; \
	done; echo "$(ARCH): compiles"

unit: all $(TESTS)
	@BUILD=$(BUILD) tests/run unit
check-style:
	@BUILD=$(BUILD) tests/run style

# The same programs under the address and undefined-behaviour sanitizers, in build-asan.
asan:
	$(MAKE) BUILD=build-asan OPT='-O1 -g' SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' all tests

# The suites over them (SUITES=... to choose): all but the fuzzing, which has sanitizers of its own. labd-init is static and
# has none; a guest has no room for them, so what needs one is skipped.
SUITES ?= unit golden $(filter-out guest kill-guest trace-guest,$(patsubst tests/%.bats,%,$(wildcard tests/*.bats)))
check-asan: asan
	@BUILD=build-asan tests/run $(SUITES)
# 100 up and down without a byte or a descriptor lost.
check-leaks: asan
	@tests/leaks

# See docs/BENCHMARKS.md; BENCH=quick for a few minutes only.
BENCH_TOOLS := $(BUILD)/bench/floor $(BUILD)/bench/flow $(BUILD)/bench/rules \
               $(BUILD)/bench/pause
bench: all $(BENCH_TOOLS)
	@BUILD=$(BUILD) tests/bench/run
bench-deps: deps-test
	@tests/lib/packages $(DEPS_BENCH)
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -lmnl
$(BUILD)/bench/rules: $(BUILD)/obj/tests/bench/rules.o $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_CTL) $(LIBS_LABD)
# No C library: what a process costs at least.
$(BUILD)/bench/pause: tests/bench/pause.c
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -o $@ $<

# ---- installation ---------------------------------------------------------------------------

BINDIR := $(DESTDIR)$(PREFIX)/bin
LABDIR := $(DESTDIR)$(PREFIX)/share/labd/labs
MANDIR := $(DESTDIR)$(PREFIX)/share/man
COMPDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
UNITDIR := $(DESTDIR)$(PREFIX)/lib/systemd/system

.PHONY: install uninstall clean
install: all
	install -d $(BINDIR) $(LABDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(COMPDIR) $(UNITDIR)
	install -m755 $(BUILD)/labctl $(BUILD)/labd $(BUILD)/labd-init $(BINDIR)
	install -m644 labs/*.lab.yaml $(LABDIR)
	install -m644 docs/man/*.1 $(MANDIR)/man1
	install -m644 docs/man/*.5 $(MANDIR)/man5
	install -m644 docs/man/*.8 $(MANDIR)/man8
	$(BUILD)/labctl completion bash > $(COMPDIR)/labctl
	sed 's|@BINDIR@|$(PREFIX)/bin|' docs/systemd/labd.service.in > $(UNITDIR)/labd.service
	install -m644 docs/systemd/labd.socket $(UNITDIR)
uninstall:
	rm -f $(BINDIR)/labctl $(BINDIR)/labd $(BINDIR)/labd-init $(COMPDIR)/labctl
	rm -f $(patsubst docs/man/%.1,$(MANDIR)/man1/%.1,$(wildcard docs/man/*.1)) \
	      $(patsubst docs/man/%.5,$(MANDIR)/man5/%.5,$(wildcard docs/man/*.5)) \
	      $(patsubst docs/man/%.8,$(MANDIR)/man8/%.8,$(wildcard docs/man/*.8))
	rm -f $(UNITDIR)/labd.service $(UNITDIR)/labd.socket
	rm -rf $(DESTDIR)$(PREFIX)/share/labd
clean:
	rm -rf build build-asan build-fuzz

include docs/man/man.mk
include tests/fuzz/fuzz.mk

help:
	@echo 'make            build/labctl, build/labd and build/labd-init'
	@echo 'make demo       packages, build, a cluster, a packet delivered'
	@echo 'make check      packages, build, all tests'
	@echo 'make check-long the same, with the kill matrices at every step and with every error (hours)'
	@echo 'make unit       unit tests only        make check-style  formatting and room rules'
	@echo 'make asan       sanitizer build in build-asan'
	@echo 'make check-asan the suites with it         make check-leaks  100 up and down, nothing lost'
	@echo 'make check-arch the tree compiled for ARCH (aarch64), not linked'
	@echo 'make man        the man pages from their scdoc sources (needs scdoc)'
	@echo 'make fuzz       fuzz targets, 60 s each  make fuzz-long  600 s each'
	@echo 'make bench      against the plan script, mininet and the bare kernel (BENCH=quick|normal|full)'
	@echo 'make deps       install the Debian packages'
	@echo 'make install    DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'
