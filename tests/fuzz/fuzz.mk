# Fuzz targets: tests/fuzz/fuzz_NAME.c, built by clang in build-fuzz (tests/fuzz/README.md).
FUZZ_SECONDS ?= 60
FUZZ_JOBS    ?= $(shell nproc)
FUZZ_SRC     := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
FUZZ_HELP    := $(call obj,$(filter-out $(FUZZ_SRC),$(wildcard tests/fuzz/*.c)))
FUZZ_MAKE    := $(MAKE) --no-print-directory BUILD=build-fuzz CC=clang OPT='-O1 -g' \
                SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'

.PHONY: fuzz fuzz-long fuzz-build fuzzers
# Each target FUZZ_SECONDS long from its corpus, FUZZ_JOBS at once.
fuzz: deps-test fuzz-build
	+@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_JOBS) $(FUZZ)
fuzz-long: FUZZ_SECONDS = 600
fuzz-long: fuzz
fuzz-build:
	+@$(FUZZ_MAKE) fuzzers
fuzzers: $(FUZZERS)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libfuzz.a $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAP) -fsanitize=fuzzer,address,undefined -o $@ $< $(BUILD)/libfuzz.a \
		$(BUILD)/libtest.a $(LIBS_CTL) $(LIBS_LABD)
$(BUILD)/fuzz/fuzz_wire: LDFLAGS_ALL += -Wl,--wrap=proc_spawn
$(BUILD)/libfuzz.a: $(FUZZ_HELP)
	@rm -f $@; ar rcs $@ $^
$(BUILD)/tests/lab_json: $(BUILD)/obj/tests/lib/lab_json.o $(BUILD)/libtest.a
	@mkdir -p $(@D)
	@$(if $(V),,echo '  LINK  $@')
	$(Q)$(CC) $(LDFLAGS_ALL) $(WRAP) -o $@ $< $(BUILD)/libtest.a $(LIBS_CTL) $(LIBS_LABD)
