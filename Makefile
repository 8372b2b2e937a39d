# Sluice. `make help` lists what can be made; V=1 shows the commands.
# SPDX-License-Identifier: MIT OR GPL-2.0-only

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CLANG   ?= clang
PKG_CONFIG ?= pkg-config
BPFTOOL ?= $(firstword $(shell command -v bpftool 2>/dev/null) /usr/sbin/bpftool)
PYTHON  ?= /usr/bin/python3
KERNEL  ?= 6.1
MATRIX_KERNELS ?= 5.10 6.1 6.12 6.18 7.2

ifeq ($(V),1)
  Q =
  say =
else
  Q = @
  say = @printf '  %-7s %s\n' $(1) $(2);
endif

ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

PKGS   := libbpf yaml-0.1 jansson libcrypto libcurl ncursesw
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu17 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter -Wformat=2 -fno-common -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -I. -I$(BUILD) \
	$(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null) $(SAN)
LDLIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lelf -lz -lm -lpthread

BPF_CFLAGS := -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-missing-declarations -Wno-compare-distinct-pointer-types -I. -Ibpf

BPF_SRC  := $(wildcard bpf/hooks/*.bpf.c)
BPF_OBJ  := $(BPF_SRC:bpf/hooks/%.bpf.c=$(BUILD)/bpf/%.o)
BPF_OLD  := $(BPF_SRC:bpf/hooks/%.bpf.c=$(BUILD)/bpf/old/%.o)
USER_SRC := $(filter-out user/main.c,$(wildcard user/*.c user/dest/*.c user/policy/*.c user/export/*.c user/tui/*.c))
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SRC := user/util.c user/imds_parse.c user/secret_file.c user/locked.c $(wildcard user/dest/*.c user/policy/*.c) \
	$(addprefix user/export/,aws_creds.c aws_environment.c aws_error.c aws_profile.c aws_url.c json_pick.c sigv4.c xml_pick.c) \
	$(addprefix user/export/journal_,dir.c line.c head.c scan.c read.c sign.c digest.c) $(wildcard user/export/journal_verify*.c) \
	$(addprefix user/,hashmap.c json_write.c value_text.c watch.c watch_doc.c tui/feed_doc.c tui/record_scan.c) \
	$(wildcard user/report*.c) user/record_tape.c user/table_text.c user/export/finding_words.c \
	$(addprefix user/tui/,filter.c user_name.c) \
	$(filter-out user/tui/replay_source.c,$(wildcard user/tui/replay_*.c))
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/obj/%.o)
FUZZ_SECONDS ?= 60
SCREEN_BIN := $(BUILD)/screen/viewer
WORK_BIN := $(patsubst tests/work/%.c,$(BUILD)/work/%,$(wildcard tests/work/*.c))

.DELETE_ON_ERROR:
.PHONY: asan-viewer viewer screen all help run test unit system test-vm test-vm-all bench arm64 asan install uninstall clean check-vmlinux work units fuzz fuzzers

all: $(BUILD)/sluice ## the program (default)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 18

run: ## install what is missing, build, and show the main job at work
	$(Q)sh scripts/run.sh

test: ## install what is missing, and run every test
	$(Q)sh scripts/test.sh

# --- the kernel half -------------------------------------------------------

$(BUILD)/bpf/%.o: bpf/hooks/%.bpf.c Makefile
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -c $< -o $@

# The same sources once more, for kernels before bpf_loop: their verifier refuses what it does not know even in dead code.
$(BUILD)/bpf/old/%.o: bpf/hooks/%.bpf.c Makefile
	$(call say,BPF-OLD,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DSLUICE_OLD_KERNEL -MMD -MP -MT $@ -c $< -o $@

$(BUILD)/bpf/sluice_bpf.linked.o: $(BPF_OBJ)
$(BUILD)/bpf/sluice_old.linked.o: $(BPF_OLD)
$(BUILD)/bpf/sluice_bpf.linked.o $(BUILD)/bpf/sluice_old.linked.o:
	$(call say,GENOBJ,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/sluice.skel.h: $(BUILD)/bpf/sluice_bpf.linked.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name sluice_bpf > $@

$(BUILD)/sluice_old.skel.h: $(BUILD)/bpf/sluice_old.linked.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name sluice_old > $@

# --- the user half ---------------------------------------------------------

$(BUILD)/obj/user/object.o: $(BUILD)/sluice.skel.h $(BUILD)/sluice_old.skel.h

$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libsluice.a: $(USER_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/sluice: $(BUILD)/obj/user/main.o $(BUILD)/libsluice.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- tests -----------------------------------------------------------------

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libsluice.a Makefile
	$(call say,UNIT,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libsluice.a $(LDLIBS) -lssl -lcmocka

$(BUILD)/work/%: tests/work/%.c Makefile
	$(call say,WORK,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< -lpthread

# Some are parts of the program by themselves: its client of AWS; its journal and the exporter; findings to Security Hub.
$(BUILD)/work/awscall $(BUILD)/work/exporting $(BUILD)/work/hubbing: $(BUILD)/work/%: tests/work/%.c $(BUILD)/libsluice.a Makefile
	$(call say,WORK,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libsluice.a $(LDLIBS)

# The viewer on documents from a file, which its tests of the screen drive.
$(BUILD)/screen/%: tests/screen/%.c $(BUILD)/libsluice.a Makefile
	$(call say,SCREEN,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libsluice.a $(LDLIBS)

# Readers of hostile input once more, by clang, which counts what each input reaches.
FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

$(BUILD)/fuzz/obj/%.o: %.c Makefile
	$(call say,FUZZ-CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(BUILD)/fuzz/libfuzzed.a: $(FUZZ_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libfuzzed.a Makefile
	$(call say,FUZZ,$<)
	$(Q)$(CLANG) $(CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(BUILD)/fuzz/libfuzzed.a $(LDLIBS)

$(BUILD)/fuzz/make_seeds: tests/fuzz/make_seeds.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LDLIBS) -lssl

fuzzers: $(FUZZ_BIN) $(BUILD)/fuzz/make_seeds

fuzz: fuzzers ## every reader of hostile input, FUZZ_SECONDS=60 of each; what they found stays in build/fuzz
	$(Q)for target in $(notdir $(FUZZ_BIN)); do sh scripts/fuzz.sh $(BUILD)/fuzz $$target $(FUZZ_SECONDS) || exit 1; done

work: $(WORK_BIN) ## the programs that tests and benchmarks drive
units: $(UNIT_BIN)
viewer: $(SCREEN_BIN)

unit: units ## unit tests
	$(Q)sh scripts/test.sh unit

system: all work ## system tests on this kernel
	$(Q)sh scripts/test.sh system

screen: viewer ## what the viewer draws, in a terminal of the tests' own
	$(Q)sh scripts/test.sh screen

test-vm: all work ## the system tests in a virtual machine, KERNEL=6.1
	$(Q)sh scripts/test.sh vm $(KERNEL)

test-vm-all: ## the same on every kernel of the matrix, arm64 too: hours
	$(Q)sh scripts/test.sh vm-all

matrix: all work ## every path on this kernel and in virtual machines, into tests/README.md
	$(Q)SLUICE_BUILD=$(abspath $(BUILD)) $(PYTHON) scripts/matrix.py --run here $(MATRIX_KERNELS)

bench: all work $(BUILD)/unit/bench_model ## overhead, as ratios against no monitor; what an interval costs at most
	$(Q)$(BUILD)/unit/bench_model
	$(Q)bash scripts/bench.sh

arm64: ## the program and what tests drive, for arm64, in build/arm64
	$(Q)sh scripts/deps.sh arm64
	$(Q)sh scripts/cross.sh arm64 $(MAKE) BUILD=$(BUILD)/arm64 ARCH=arm64 all work

ASAN := BUILD=$(BUILD)/asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"

asan: ## everything again under AddressSanitizer and UBSan, in build/asan
	$(Q)$(MAKE) $(ASAN) all units viewer

asan-viewer:
	$(Q)$(MAKE) $(ASAN) viewer

check-vmlinux: ## compare bpf/vmlinux.h with this kernel's BTF
	$(Q)sh scripts/check-vmlinux.sh

install: all ## into DESTDIR and PREFIX
	install -Dm755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/sbin/sluice
	install -Dm644 user/man/sluice.8 $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

uninstall: ## what install put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/sluice $(DESTDIR)$(PREFIX)/share/man/man8/sluice.8

clean: ## remove what was built
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/vm -prune -o -type f -name '*.d' -print 2>/dev/null)
