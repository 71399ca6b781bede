# nightdesk: the only makefile, non-recursive. `make help` lists the targets.
#
# Variants (VARIANT=release|debug|asan|tsan|cov|fuzz) never mix: each has its own folder under
# build/. Changed flags rebuild: every object depends on a file that holds the flags.

VARIANT ?= release
BUILD   ?= build
B       := $(BUILD)/$(VARIANT)
CC      ?= cc
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# ---------------------------------------------------------------- modules and layers
# A module may use only the modules listed for it. Lowest layer first; `make layers` checks it.
MODULES := base io model store config market agents risk venue engine \
         access command trading alerts report proof auditor assistant learning health deploy \
         sentiment chat api ops cli main
USES_base      :=
USES_model     := base io
USES_io        := base
USES_store     := base model io
USES_config    := base model io store
LAYER4         := base model io store config
USES_market    := $(LAYER4)
USES_agents    := $(LAYER4) market
USES_risk      := $(LAYER4) market agents
USES_venue     := $(LAYER4) market agents risk
USES_engine    := $(LAYER4) market agents risk venue
USES_access    := $(LAYER4)
USES_command   := $(LAYER4) access
USES_trading   := $(LAYER4) access command
USES_alerts    := $(LAYER4) access command trading
ACTIONS        := $(LAYER4) access command trading alerts
USES_report    := $(LAYER4)
USES_proof     := $(LAYER4) report
USES_auditor   := $(ACTIONS) report proof
USES_assistant := $(ACTIONS) report proof
USES_learning  := $(ACTIONS) report proof
USES_health    := $(ACTIONS) report
USES_deploy    := $(ACTIONS)
USES_sentiment := $(ACTIONS)
USES_chat      := $(ACTIONS) report proof auditor assistant learning health deploy
USES_api       := $(ACTIONS) report proof auditor assistant learning health deploy
USES_ops       := $(ACTIONS) report proof auditor assistant learning health deploy sentiment chat \
                  api
USES_cli       := $(USES_engine) engine $(USES_ops) ops
USES_main      := $(USES_cli) cli

# ---------------------------------------------------------------- dependencies
DEB_PACKAGES := gcc make pkg-config libcurl4-openssl-dev libjson-c-dev libsqlite3-dev libyaml-dev \
                libsystemd-dev libsodium-dev libssl-dev libcairo2-dev zlib1g-dev libxgboost-dev \
                liboath-dev libqrencode-dev libedit-dev libarchive-dev \
                libwslay-dev nettle-dev libexpat1-dev \
                ca-certificates
DEB_TEST_PACKAGES := libcmocka-dev libck-dev libmicrohttpd-dev clang clang-format curl sqlite3 dbus polkitd systemd \
                     tmux util-linux procps zsh mandoc python3-aiosmtpd openssl tzdata
# Large ones: `make deps-test` installs them, and the npm packages of tests/node.
DEB_HEAVY_PACKAGES := prometheus prometheus-alertmanager chromium
PKGS      := json-c sqlite3 yaml-0.1 libsystemd libsodium liboath libqrencode
# Only their headers: these are loaded at their first use (src/io/library.h).
PKGS_LATE := libcurl cairo zlib libedit libssl libcrypto libarchive nettle expat
HAVE_PKGS := $(shell pkg-config --exists $(PKGS) $(PKGS_LATE) 2>/dev/null && echo yes)
ifeq ($(HAVE_PKGS),yes)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(PKGS_LATE))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

# ---------------------------------------------------------------- flags
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wundef \
        -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla -Wnull-dereference \
        -Wwrite-strings
ifdef CI
WARN += -Werror
endif
# Each flag is probed; one that the compiler does not support is left out.
probe = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo "$(1)")
HARDEN := $(call probe,-fstack-protector-strong) $(call probe,-fstack-clash-protection) \
          $(call probe,-fcf-protection=full) $(call probe,-ftrivial-auto-var-init=zero)
# Relocations in a thirtieth of the space, all of which is read at each start; only where the linker
# and the loader know them.
SMALL_RELOCATIONS := $(shell f=$$(mktemp) && echo 'int main(void) { return 0; }' | \
    $(CC) -fPIE -pie -Wl,-z,pack-relative-relocs -x c - -o $$f 2> /dev/null && $$f && \
    echo '-Wl,-z,pack-relative-relocs'; rm -f $$f)
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack $(SMALL_RELOCATIONS) -pie

CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 $(HARDEN)
CFLAGS_debug   := -Og -g3
CFLAGS_asan    := -Og -g1 -fno-var-tracking -fsanitize=address,undefined -fno-sanitize-recover=all \
                  -fno-omit-frame-pointer
CFLAGS_tsan    := -Og -g1 -fno-var-tracking -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov     := -O0 -g --coverage
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
LDFLAGS_release := $(HARDEN_LD)
LDFLAGS_debug   :=
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_tsan    := -fsanitize=thread
LDFLAGS_cov     := --coverage
LDFLAGS_fuzz    := -fsanitize=address,undefined

CPPFLAGS_ALL := -D_GNU_SOURCE -DNIGHTDESK_VERSION='"$(VERSION)"' -include include/base/banned.h \
                -Iinclude -I$(B)/gen $(PKG_CFLAGS) $(CPPFLAGS)
# The sanitizers look at runs: their builds leave the warnings to the others, and compile the tests
# themselves without optimisation, which takes half the time. UBSan looks at the program alone.
ifneq ($(filter $(VARIANT),asan tsan fuzz),)
WARN         := -w
CFLAGS_TESTS := -O0 -fno-sanitize=undefined
endif
# Optimised, these alone would take a minute of one core to compile.
$(B)/tests/unit/%.o: CFLAGS_TESTS += -O0 -U_FORTIFY_SOURCE
# Its malloc runs before AddressSanitizer is ready, and must not look at the stack.
$(B)/tests/oom/%.o: CFLAGS_TESTS :=
# No fused multiply-add, so that a seed gives the same trades on every processor and compiler.
CFLAGS_ALL   := -std=gnu17 -fPIE -ffp-contract=off $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL  := $(LDFLAGS_$(VARIANT)) $(LDFLAGS)
LIBS         := $(PKG_LIBS) -lm -lpthread

# ---------------------------------------------------------------- what is built
SRC  := $(foreach r,$(MODULES),$(wildcard src/$(r)/*.c))
OBJ  := $(SRC:src/%.c=$(B)/obj/%.o)
BIN  := $(B)/nightdesk
module_objects = $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/$(1)/*.c))
module_closure = $(USES_$(1)) $(1)
module_archives = $(patsubst src/%,$(B)/lib/%.a,$(wildcard $(addprefix src/,$(sort $(1)))))

EMBEDDED := $(sort $(wildcard commands/*.yaml) $(wildcard prompts/*.md) $(wildcard docs/*.md) \
              $(wildcard web/*.html web/*.css web/*.js web/*.svg) src/api/examples.json)

.DEFAULT_GOAL := build
.SECONDARY:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: build
build: $(BIN) ## build the program (default); VARIANT=release|debug|asan|tsan|cov|fuzz

$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(subst ','"'"',$(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL))' > $@.new
	@cmp -s $@.new $@ || mv $@.new $@
	@rm -f $@.new

.PHONY: FORCE
FORCE:

# OpenSSL's headers have parameters called rand, so they come before the banned functions are poisoned.
$(B)/obj/io/web_tls.o: CPPFLAGS_ALL := -include openssl/err.h -include openssl/ssl.h $(CPPFLAGS_ALL)
$(B)/obj/io/p256.o: CPPFLAGS_ALL := -include openssl/evp.h $(CPPFLAGS_ALL)
$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# The command manifests, prompts, pages and the files of the web page are part of the binary.
$(B)/gen/embedded.c: $(EMBEDDED) tests/checks/embed.sh
	@mkdir -p $(@D)
	sh tests/checks/embed.sh $(EMBEDDED) > $@
$(B)/obj/gen/embedded.o: $(B)/gen/embedded.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@


$(BIN): $(OBJ) $(B)/obj/gen/embedded.o
	$(link)

# All of them: MODULES may name only some (make mutants).
-include $(wildcard $(B)/obj/*/*.d)

# A test program takes from an archive per module only the objects that it uses, which links in a
# fifth of the time. The archives only name their objects.
define module_archive
$(B)/lib/$(1).a: $(call module_objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$(AR) rcsT $$@ $$^
endef
$(foreach r,$(notdir $(wildcard src/*)),$(eval $(call module_archive,$(r))))
$(B)/lib/io.a: $(B)/obj/gen/embedded.o
link = $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -o $@ $(LIBS)

# ---------------------------------------------------------------- tests
# tests/unit/<module>/test_<thing>.c: one binary per module, linked with the modules it may use.
UNIT_MODULES := $(sort $(foreach d,$(wildcard tests/unit/*/),$(notdir $(d:/=))))
# Fakes and rigs are an archive, so a test links only those that it uses.
FAKES_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/fakes/*.c tests/rigs/*.c))
$(B)/tests/fakes.a: $(FAKES_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
define unit_binary
UNIT_OBJ_$(1) := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/unit/$(1)/*.c))
$(B)/unit/$(1): $$(UNIT_OBJ_$(1)) $(B)/tests/unit/unit.o $(B)/tests/fakes.a \
                $(call module_archives,$(call module_closure,$(1)))
	@mkdir -p $$(@D)
	$$(link) -lcmocka
.PHONY: unit-$(1)
unit-$(1): $(B)/unit/$(1)
	$(B)/unit/$(1)
endef

$(B)/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) -Itests $(CFLAGS_ALL) $(CFLAGS_TESTS) -MMD -MP -c $< -o $@
-include $(wildcard $(B)/tests/*/*.d $(B)/tests/*/*/*.d)
$(foreach r,$(UNIT_MODULES),$(eval $(call unit_binary,$(r))))
UNIT_BINARIES := $(UNIT_MODULES:%=$(B)/unit/%)
.PHONY: units
units: $(UNIT_BINARIES)

# tests/sim/*.c: engine and venue on a fake clock with seeded faults; a failure prints its seed.
SEEDS   ?= 200
SIM_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/sim/*.c))
$(B)/sim: $(SIM_OBJ) $(call module_archives,$(call module_closure,engine))
	@mkdir -p $(@D)
	$(link)
.PHONY: simulator sim
simulator: $(B)/sim
sim: $(B)/sim ## run engine and venue with seeded faults; SEEDS=n
	$(B)/sim --seeds $(SEEDS)
.PHONY: sim-venues
sim-venues: $(B)/sim ## the same with what each real venue can do: 500 seeds each; SEEDS=n
	$(B)/sim --personality all --seeds $(if $(filter file,$(origin SEEDS)),500,$(SEEDS))
.PHONY: venue-day
venue-day: $(B)/system/venue_day ## trade a whole day at the fake of each venue, with kill -9 and every fault; NIGHTDESK_VENUES, NIGHTDESK_SEED
	NIGHTDESK_MINUTES=1440 NIGHTDESK_KILLS=40 NIGHTDESK_FAULTS=120 NIGHTDESK_SPEED=1200 sh tests/system/system_venue_day.sh $(B)

# tests/system/<name>.c: helpers of the system tests (tests/system/system_*.sh).
SYSTEM_NAMES := $(patsubst tests/system/%.c,%,$(wildcard tests/system/*.c))
# tests/venue_day: a day of trading at the fake of a venue, with kill -9. faster.c has the functions that are
# replaced, so that a process can live many times as fast as the machine.
$(B)/system/venue_day: private LDFLAGS_ALL += -Wl,--wrap=sd_event_source_set_time,--wrap=http_send,--wrap=account_api_find
$(B)/system/venue_day: $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/venue_day/*.c)) $(B)/tests/fakes.a \
                       $(call module_archives,$(call module_closure,engine))
	@mkdir -p $(@D)
	$(link)
$(B)/system/%: $(B)/tests/system/%.o $(B)/tests/fakes.a \
               $(call module_archives,base model io store)
	@mkdir -p $(@D)
	$(link)
.PHONY: systems
systems: $(SYSTEM_NAMES:%=$(B)/system/%) $(B)/system/venue_day

# tests/scenario: the real binary against the fakes, one file per scenario.
SCENARIO_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/scenario/*.c))
$(B)/scenario: $(SCENARIO_OBJ) $(B)/tests/fakes.a \
               $(call module_archives,base model io store)
	$(link)
.PHONY: scenarios scenario golden
scenarios: $(B)/scenario
scenario: build scenarios ## run the real binary against fakes of Telegram and Claude
	$(B)/scenario $(BIN) tests/scenario/cases
golden: $(foreach m,trading alerts health assistant ops chat cli,$(B)/unit/$(m)) ## rewrite tests/golden from the current output; read the difference
	GOLDEN_UPDATE=1 $(B)/unit/trading trading_golden
	GOLDEN_UPDATE=1 $(B)/unit/trading trading_files
	GOLDEN_UPDATE=1 $(B)/unit/alerts findings_golden
	GOLDEN_UPDATE=1 $(B)/unit/health performance
	GOLDEN_UPDATE=1 $(B)/unit/health forecasts
	GOLDEN_UPDATE=1 $(B)/unit/assistant self_report
	GOLDEN_UPDATE=1 $(B)/unit/assistant ask_golden
	GOLDEN_UPDATE=1 $(B)/unit/assistant troubleshoot_golden
	GOLDEN_UPDATE=1 $(B)/unit/ops ops_golden
	GOLDEN_UPDATE=1 $(B)/unit/cli report_text
	GOLDEN_UPDATE=1 $(B)/unit/chat chat_render

# tests/audit/answer*.c: what the auditor makes of scripted answers of a model.
ANSWERS_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/audit/answer*.c))
$(B)/audit_answers: $(ANSWERS_OBJ) $(call module_archives,$(call module_closure,auditor))
	$(link)

# tests/audit/faults.c: what the invariants find in databases with known faults, made by the engine.
$(B)/audit_faults: $(B)/tests/audit/faults.o $(B)/tests/fakes.a \
                   $(call module_archives,$(call module_closure,engine) $(call module_closure,report))
	$(link)

# tests/watch/watch_incidents.c: what the night watch tells and fixes of scripted incidents. Its machine
# stands in for systemd and for helper threads.
$(B)/watch_incidents: $(B)/tests/watch/watch_incidents.o $(B)/tests/watch/machine.o $(B)/tests/fakes.a \
                      $(call module_archives,$(call module_closure,health))
	$(link)

.PHONY: watch-bench
watch-bench: build systems $(B)/watch_incidents ## what the night watch reports and fixes of 200 scripted incidents, and how fast it is
	@sh tests/watch/watch_bench.sh $(B)

# tests/learning/learn_bench.c: what the learner proposes in markets of noise, and in planted ones.
$(B)/learn_bench: $(B)/tests/learning/learn_bench.o $(B)/tests/fakes.a \
                  $(call module_archives,$(call module_closure,learning))
	$(link)
.PHONY: learn-bench
learn-bench: $(B)/learn_bench ## what is proposed in 200 markets of noise and 50 with a planted regularity; LEARN_SEEDS=5000: others
	@$(B)/learn_bench $(LEARN_SEEDS)

# tests/ask: questions with known answers, on databases that the engine makes.
ASK_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/ask/*.c))
$(B)/ask_bench: $(ASK_OBJ) $(B)/tests/fakes.a \
                $(call module_archives,$(call module_closure,engine) $(call module_closure,assistant))
	$(link)

.PHONY: ask-bench
ask-bench: $(B)/ask_bench $(B)/unit/assistant ## how many questions with known answers are answered, and how many wrongly
	@$(B)/ask_bench
	@ASK_RUNS=60 $(B)/unit/assistant ask_models | grep -E '^(scripted|injected|loops)'

.PHONY: audit-bench
audit-bench: $(B)/audit_faults $(B)/audit_answers ## what the auditor finds in databases with known faults, and makes of wrong answers
	@$(B)/audit_faults | grep -v '^ok ' && $(B)/audit_answers

# Installs the packages of $(1)/package.json in the folder $(2), unless they are there.
define npm_install
@for p in node npm; do command -v $$p > /dev/null || { \
    echo "$$p is missing: install the packages nodejs and npm" >&2; exit 1; }; done
@mkdir -p $(2)
@cmp -s $(1)/package.json $(2)/package.json || { \
    cp $(1)/package.json $(2)/package.json.new && cd $(2) && \
    mv package.json.new package.json && { npm install --no-package-lock --no-audit --no-fund \
    --ignore-scripts > npm.log 2>&1 || { cat npm.log >&2; rm package.json; exit 1; }; }; }
endef

# tests/telegram-test-api: the program against a Bot API server of others, from npm. Not part of `make test`.
TEST_API := $(BUILD)/telegram-test-api
.PHONY: telegram-test-api
telegram-test-api: build ## run against npm's telegram-test-api (needs nodejs and npm; installs it in build/)
	$(call npm_install,tests/telegram-test-api,$(TEST_API))
	@node tests/telegram-test-api/run.js $(TEST_API) $(BIN)

# tests/aimock: audits against a server of the Messages API of others, from npm. Not part of `make test`.
AIMOCK := $(BUILD)/aimock
.PHONY: aimock
aimock: build ## run audits against npm's @copilotkit/aimock (needs nodejs and npm; installs it in build/)
	$(call npm_install,tests/aimock,$(AIMOCK))
	@node tests/aimock/run.js $(AIMOCK) $(BIN)

# tests/oom: each io module and the runner while the Nth allocation fails, for every N.
# OOM_ARGS="json db" runs these only; OOM_ARGS="--trace json_parse 3" shows one allocation.
OOM_OBJ := $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/oom/*.c))
$(B)/oom: $(OOM_OBJ) $(B)/tests/fakes.a \
          $(call module_archives,$(call module_closure,command))
	$(link) -lcmocka
# The runner opens databases in each run; without AddressSanitizer, which costs most of the time.
OOM_IO  := json yaml file secret log_file journal chart db loop pool process resolve http web websocket_client xgboost
.PHONY: oom
oom: ## fail each allocation of the io modules and the runner in turn; OOM_ARGS="json db" for some
	@$(MAKE) -s --no-print-directory -j2 VARIANT=asan $(BUILD)/asan/oom
	@$(MAKE) -s --no-print-directory -j2 $(BUILD)/release/oom
	@$(BUILD)/asan/oom $(or $(OOM_ARGS),$(OOM_IO)) && \
	    { [ -n '$(OOM_ARGS)' ] || $(BUILD)/release/oom runner; }

# tests/mutants: changes a line of a module at a time and looks whether its tests notice; survivors
# once more with AddressSanitizer. MODULES="risk ledger", MUTANTS=300 changed lines a module, SEED=1.
# ONLY=build/mutants/survivors.txt tries those of the last run again. The tree is copied first. Each
# object is compiled once, so a cache would not help. See docs/testing.md.
MUTANTS    ?= 300
SEED       ?= 1
MUTANTS_JOBS ?= 2
MUTANTS_OF := risk access ledger runner
mutants_modules = $(if $(filter command line environment,$(origin MODULES)),$(MODULES),$(MUTANTS_OF))
mutants_files_ledger := src/engine/ledger.c
mutants_files_runner := $(wildcard src/command/run*.c) \
    $(foreach f,step stage when lock bind rate,src/command/$(f).c)
mutants_files = $(or $(mutants_files_$(1)),$(wildcard src/$(1)/*.c))
mutants_unit_ledger := engine
mutants_unit_runner := trading
mutants_unit = $(or $(mutants_unit_$(1)),$(1))
mutants_groups_ledger := ledger
mutants_groups_runner := when rate locks bind runner floods full_disk stages steps invalid_rows \
    unrecorded
# The tests of the runner that need trading actions are there; both are linked into one program.
mutants_tests_runner := command
mutants_limit_runner := 60
M := $(BUILD)/mutants
# Databases in memory, if possible, and an end at the first failure.
mutants_test = ulimit -c 0; test -w /dev/shm && export TMPDIR=/dev/shm; CMOCKA_TEST_ABORT=1 @OUT@ $(mutants_groups_$(1))
$(B)/mutants: $(B)/tests/mutants/mutants.o
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ -o $@
mutants_cc       = $(filter-out ccache,$(CC))
mutants_ld       = $(shell command -v ld.gold > /dev/null && echo -fuse-ld=gold)
mutants_base     = $(mutants_cc) $(CPPFLAGS_ALL) -iquote @DIR@ -std=gnu17 -fPIE -ffp-contract=off -w
mutants_compile  = $(mutants_base) -O1 -c @IN@ -o @OUT@
mutants_again    = $(mutants_base) $(CFLAGS_asan) -c @IN@ -o @OUT@
mutants_unit_obj = $(foreach u,$(mutants_tests_$(1)) $(call mutants_unit,$(1)),$(UNIT_OBJ_$(u)))
mutants_objects  = $(mutants_unit_obj) $(B)/tests/unit/unit.o $(B)/tests/fakes.a \
    $(foreach r,$(call module_closure,$(call mutants_unit,$(1))),$(call module_objects,$(r))) $(B)/obj/gen/embedded.o
mutants_link     = $(mutants_cc) $(mutants_ld) $(CFLAGS_ALL) $(LDFLAGS_ALL) -Wl,-S $(call mutants_objects,$(1)) -o @OUT@ $(LIBS) -lcmocka
mutants_again_link = $(mutants_cc) $(CFLAGS_asan) $(LDFLAGS_asan) \
    $(subst $(B)/,$(BUILD)/asan/,$(call mutants_objects,$(1))) -o @OUT@ $(LIBS) -lcmocka
.PHONY: mutants
mutants: ## change a line of a module at a time, list what no test notices; MODULES="risk" MUTANTS=300 SEED=1
	@$(MAKE) -s --no-print-directory -j2 $(B)/mutants \
	    $(foreach m,$(mutants_modules),$(foreach u,$(mutants_tests_$(m)) $(call mutants_unit,$(m)),$(B)/unit/$(u)))
	@$(MAKE) -s --no-print-directory -j2 VARIANT=asan \
	    $(foreach m,$(mutants_modules),$(foreach u,$(mutants_tests_$(m)) $(call mutants_unit,$(m)),$(BUILD)/asan/unit/$(u)))
	@$(if $(ONLY),cp $(ONLY) $(B)/mutants-only.txt)
	@rm -rf $(M) && mkdir -p $(M)/tree
	@git ls-files -z | tar --null -T - -cf - | tar -xf - -C $(M)/tree && ln -s $(abspath $(BUILD)) $(M)/tree/build
	@printf '%-10s %7s %7s %9s %10s %9s %8s\n' module mutants killed 'by limit' equivalent survivors score
	@cd $(M)/tree && failed=0; $(foreach m,$(mutants_modules),mkdir -p $(abspath $(M))/$(m) && \
	    $(abspath $(B))/mutants $(m) '$(mutants_compile)' '$(call mutants_link,$(m))' \
	        '$(call mutants_test,$(m))' --limit $(or $(mutants_limit_$(m)),20) --count $(MUTANTS) --seed $(SEED) --jobs $(MUTANTS_JOBS) \
	        $(if $(ONLY),--only $(abspath $(B))/mutants-only.txt) \
	        --again '$(mutants_again)' --again-link '$(call mutants_again_link,$(m))' \
	        --work $(abspath $(M))/$(m) --equivalent tests/mutants/equivalent.txt --survivors $(abspath $(M))/survivors.txt \
	        -- $(call mutants_files,$(m)) || failed=1;) \
	    test $$failed = 0 || { echo 'survivors: $(M)/survivors.txt'; exit 1; }

# ---------------------------------------------------------------- build checks
comma := ,
space := $(subst ,, )
LAYER_RULES := $(foreach r,$(MODULES),$(r):$(subst $(space),$(comma),$(strip $(USES_$(r)))))

.PHONY: layers headers tidy print-modules
layers: build ## check that every module uses only the layers below it
	@sh tests/checks/layers.sh $(B) $(LAYER_RULES)
headers: ## compile each public header alone
	@sh tests/checks/headers.sh $(CC) -std=gnu17 $(WARN) $(CPPFLAGS_ALL)
tidy: ## build checks: columns, words, a README per module, a thread line per header
	@sh tests/checks/tidy.sh; tidy=$$?; sh tests/checks/prose.sh && exit $$tidy
print-modules:
	@echo $(MODULES)

# ---------------------------------------------------------------- everything a newcomer types
.PHONY: deps deps-test run test asan tsan cov fuzz format help clean
deps: ## install missing packages (Debian, Ubuntu), or print the list
	@sh tests/checks/deps.sh $(DEB_PACKAGES) $(WITH_TEST_PACKAGES)
deps-test: ## install programs of others that some tests need: Prometheus, Chromium, npm packages
	@sh tests/checks/deps_test.sh $(BUILD) $(DEB_HEAVY_PACKAGES)

# Dependencies are looked up when the makefile is read, so a second make runs after `deps`. Standard
# input is left to nightdesk.
run: ## install packages, build and start nightdesk with its defaults and a chat in this terminal
	@$(MAKE) -s --no-print-directory deps < /dev/null >&2
	@$(MAKE) -s --no-print-directory -j2 build < /dev/null >&2
	@exec $(B)/nightdesk run $(ARGS)

test: ## run every test that this machine can run; the last line is a summary
	@$(MAKE) -s --no-print-directory deps WITH_TEST_PACKAGES='$(DEB_TEST_PACKAGES)' < /dev/null >&2
	@$(MAKE) -s --no-print-directory test-with-deps < /dev/null

# The longest tests, which mostly wait, run beside the others; then come others that wait, and last
# those that compute, so that all cores stay busy to the end; tests with a limit in milliseconds run
# after the others. ASan and UBSan run all unit tests; ThreadSanitizer runs those with several threads
# (all but two groups of the engine's tests, and one of the report's, are single-threaded; so are
# what io reads, writes and draws).
TSAN_MODULES         := $(filter base engine api io report,$(UNIT_MODULES))
TSAN_GROUPS_engine := start thread
TSAN_GROUPS_io     := db db_file host http library log_file loop pool process resolve secret \
                      signing_key systemd web web_requests websocket websocket_client
TSAN_GROUPS_report := report
SYSTEM_TESTS       := $(patsubst tests/system/system_%.sh,%,$(sort $(wildcard tests/system/system_*.sh)))
SYSTEM_TIMED       := silent_supervisor silent_dns slow_disk terminal
SYSTEM_LONGEST     := systemd silent autofix playbooks bench
UNIT_LONGEST       := chat
UNIT_WAITING       := api health ops store venue
unit_tests   = $(foreach r,$(3),'$(1) $(r)' $(BUILD)/$(2)/unit/$(r))
system_tests = $(foreach t,$(1),'system $(t)' 'sh tests/system/system_$(t).sh $(BUILD)/release')
.PHONY: test-with-deps
test-with-deps:
	@$(MAKE) -s --no-print-directory -j2 build units scenarios systems simulator $(BUILD)/release/oom $(BUILD)/release/bench/run $(BUILD)/release/bench/ops $(BUILD)/release/audit_answers $(BUILD)/release/audit_faults $(BUILD)/release/watch_incidents $(BUILD)/release/learn_bench $(BUILD)/release/ask_bench
	@$(MAKE) -s --no-print-directory -j2 VARIANT=asan build units fuzz-replays
	@$(MAKE) -s --no-print-directory -j2 VARIANT=tsan $(TSAN_MODULES:%=$(BUILD)/tsan/unit/%)
	@LOGS=$(BUILD)/test-logs sh tests/run.sh \
	    $(call unit_tests,asan,asan,$(UNIT_LONGEST)) $(call system_tests,$(SYSTEM_LONGEST)) \
	    $(call unit_tests,unit,release,$(UNIT_LONGEST)) ++ \
	    $(call unit_tests,unit,release,$(UNIT_WAITING)) \
	    $(call system_tests,$(filter-out $(SYSTEM_TIMED) $(SYSTEM_LONGEST),$(SYSTEM_TESTS))) \
	    $(foreach r,$(TSAN_MODULES),'tsan $(r)' '$(BUILD)/tsan/unit/$(r) $(TSAN_GROUPS_$(r))') \
	    $(call unit_tests,asan,asan,$(UNIT_WAITING) $(filter-out $(UNIT_LONGEST) $(UNIT_WAITING),$(UNIT_MODULES))) \
	    'sim' '$(BUILD)/release/sim --seeds 60 --list tests/sim/seeds.txt && $(BUILD)/release/sim --personality all --seeds 8' \
	    tidy '$(MAKE) -s tidy' layers '$(MAKE) -s layers' headers '$(MAKE) -s headers' \
	    docs 'sh tests/checks/docs.sh $(BUILD)/release/nightdesk' \
	    'learning' '$(BUILD)/release/learn_bench --quick' \
	    'audit answers' '$(BUILD)/release/audit_answers --quick' \
	    'audit faults' '$(BUILD)/release/audit_faults --quick' \
	    'watch incidents' '$(BUILD)/release/watch_incidents --quick' \
	    'ask questions' '$(BUILD)/release/ask_bench --quick' \
	    'oom sample' '$(BUILD)/release/oom --every 400' \
	    $(call unit_tests,unit,release,$(filter-out $(UNIT_LONGEST) $(UNIT_WAITING),$(UNIT_MODULES))) \
	    $(foreach f,$(FUZZ_NAMES),'fuzz $(f)' '$(BUILD)/asan/fuzz/$(f) tests/fuzz/corpus/$(f) $(FUZZ_MORE_$(f))') \
	    -- scenarios '$(BUILD)/release/scenario $(BUILD)/release/nightdesk tests/scenario/cases' \
	    -- $(call system_tests,$(SYSTEM_TIMED))

asan tsan: ## run the unit tests under AddressSanitizer and UBSan, or ThreadSanitizer
	@$(MAKE) -s --no-print-directory -j2 VARIANT=$@ units
	@LOGS=$(BUILD)/$@/logs sh tests/run.sh \
	    $(foreach r,$(UNIT_MODULES),'$@ $(r)' $(BUILD)/$@/unit/$(r))

# COV_MODULES="market risk" measures only these modules.
COV_MODULES ?= $(UNIT_MODULES)
cov: ## measure branch coverage of unit tests and simulator, by module; COV_MODULES="a b" for some
	@$(MAKE) -s --no-print-directory -j2 VARIANT=cov $(COV_MODULES:%=$(BUILD)/cov/unit/%) simulator
	@sh tests/checks/cov.sh $(BUILD)/cov $(COV_MODULES)

# tests/fuzz/fuzz_<parser>.c: `make fuzz` searches with libFuzzer (clang); the corpus and
# every prefix of its files run as ordinary tests through replay.c.
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MORE_csv := tests/fixtures/candles tests/fixtures/candles/damaged
FUZZ_SECONDS ?= 30
FUZZ_USES    := $(call module_archives,$(filter-out cli main,$(MODULES)))
.PHONY: fuzz-replays
fuzz-replays: $(FUZZ_NAMES:%=$(B)/fuzz/%)
$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/tests/fakes.a $(FUZZ_USES)
	@mkdir -p $(@D)
	$(link)
$(B)/libfuzzer/%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fakes.a $(FUZZ_USES)
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer
fuzz: ## search for inputs that crash a parser, FUZZ_SECONDS for each
	@$(MAKE) -s --no-print-directory -j2 CC=clang VARIANT=fuzz \
	    $(FUZZ_NAMES:%=$(BUILD)/fuzz/libfuzzer/%)
	@for f in $(FUZZ_NAMES); do mkdir -p $(BUILD)/fuzz/found/$$f; \
	    more=; [ $$f = csv ] && more="$(FUZZ_MORE_csv)"; \
	    $(BUILD)/fuzz/libfuzzer/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	        -artifact_prefix=$(BUILD)/fuzz/found/$$f/ $(BUILD)/fuzz/found/$$f \
	        tests/fuzz/corpus/$$f $$more || exit 1; done

# tests/bench/bench_<module>.c: one binary per module, linked with the modules it may use. -lck, -lcurl,
# -lmicrohttpd and -lwslay are what the bus, orders, the API and the client of streams are compared
# with. The back-test has its own benchmark.
USES_backtest := $(USES_engine) engine
USES_audit    := $(USES_engine) engine report
USES_stream   := $(USES_api) api
USES_prices   := $(USES_venue) venue
USES_orders   := $(USES_venue) venue
BENCH_MODULES := $(patsubst tests/bench/bench_%.c,%,$(wildcard tests/bench/bench_*.c))
define bench_binary
$(B)/bench/$(1): $(B)/tests/bench/bench_$(1).o $(B)/tests/fakes.a \
                 $(call module_archives,$(call module_closure,$(1)))
	@mkdir -p $$(@D)
	$$(link) -lck -lmicrohttpd -lwslay -lcurl
endef
$(foreach r,$(BENCH_MODULES),$(eval $(call bench_binary,$(r))))
.PHONY: bench
bench: build $(B)/bench/run $(BENCH_MODULES:%=$(B)/bench/%) ## measure each module; print tables of median and p99
	@$(B)/bench/run $(BENCH_MODULES:%=$(B)/bench/%)
$(B)/bench/run: $(B)/tests/bench/run.o $(B)/lib/base.a
	@mkdir -p $(@D)
	$(link)

# The program prints the reference pages from its tables; they are committed.
.PHONY: docs install uninstall
docs: build ## print the reference pages again from the program's tables
	@mkdir -p docs config
	$(BIN) docs errors > docs/errors.md
	$(BIN) docs commands > docs/commands.md
	$(BIN) docs actions > docs/actions.md
	$(BIN) docs api > docs/api.md
	$(BIN) docs config > docs/config.md
	$(BIN) config --schema > config/schema.json
	$(BIN) config --example > config/nightdesk.example.yaml

# polkit reads /etc before /usr/share, regardless of the prefix. A rule in /etc belongs to the admin and
# is kept, unless it is the unchanged rule of an earlier version.
UNITS    := nightdesk.service nightdesk-failure@.service
POLKIT   := polkit-1/rules.d/50-nightdesk.rules
OLD_RULE := dfd9fc5e3f3429552a2e0cb39ba0650cbea909e596833fd6f5ad5f0a9b4d0ecf
MAN1 := $(PREFIX)/share/man/man1/nightdesk.1
MAN5 := $(PREFIX)/share/man/man5/nightdesk.yaml.5
BASH := $(PREFIX)/share/bash-completion/completions/nightdesk
ZSH  := $(PREFIX)/share/zsh/site-functions/_nightdesk
install: build ## install program, units, user, polkit rule, docs, man pages, completion (DESTDIR, PREFIX)
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/nightdesk
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for u in $(UNITS); do \
	    sed 's|/usr/local|$(PREFIX)|g' systemd/$$u > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$u || exit; \
	done
	install -D -m 0644 systemd/nightdesk.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/nightdesk.conf
	! sha256sum $(DESTDIR)/etc/$(POLKIT) 2> /dev/null | grep -q ^$(OLD_RULE) || rm $(DESTDIR)/etc/$(POLKIT)
	install -D -m 0644 systemd/nightdesk.rules $(DESTDIR)/usr/share/$(POLKIT)
	install -d $(DESTDIR)$(PREFIX)/share/doc/nightdesk
	install -m 0644 README.md config/nightdesk.example.yaml config/schema.json docs/*.md $(DESTDIR)$(PREFIX)/share/doc/nightdesk
	install -m 0644 systemd/README.md $(DESTDIR)$(PREFIX)/share/doc/nightdesk/systemd.md
	install -d $(dir $(addprefix $(DESTDIR),$(MAN1) $(MAN5) $(BASH) $(ZSH)))
	$(BIN) docs man > $(DESTDIR)$(MAN1)
	$(BIN) docs man-config > $(DESTDIR)$(MAN5)
	$(BIN) docs bash > $(DESTDIR)$(BASH)
	$(BIN) docs zsh > $(DESTDIR)$(ZSH)
	chmod 0644 $(addprefix $(DESTDIR),$(MAN1) $(MAN5) $(BASH) $(ZSH))
uninstall: ## remove what install installed; keep configuration, state and an admin's rules
	rm -f $(DESTDIR)$(PREFIX)/bin/nightdesk $(UNITS:%=$(DESTDIR)$(PREFIX)/lib/systemd/system/%)
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/nightdesk.conf $(DESTDIR)/usr/share/$(POLKIT)
	! sha256sum $(DESTDIR)/etc/$(POLKIT) 2> /dev/null | grep -q ^$(OLD_RULE) || rm $(DESTDIR)/etc/$(POLKIT)
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/nightdesk
	rm -f $(addprefix $(DESTDIR),$(MAN1) $(MAN5) $(BASH) $(ZSH))

# DEB_MAINTAINER="Name <address>" is the person who builds it. `make deb` needs dpkg-dev; deb-test lintian,
# mmdebstrap and root.
DEB_REVISION   ?= 1
DEB_MAINTAINER ?= $(shell git log -1 --format='%an <%ae>')
.PHONY: deb deb-test
deb: build ## make a Debian package in build/; DEB_REVISION=1 DEB_MAINTAINER="Name <address>"
	@sh tests/checks/deb.sh $(MAKE) $(abspath $(BUILD)) $(VERSION)-$(DEB_REVISION) '$(DEB_MAINTAINER)'
deb-test: build ## lint the package, then install, upgrade and purge it in a fresh root of the distribution
	@sh tests/checks/deb_test.sh $(MAKE) $(abspath $(BUILD)) $(VERSION)

format: ## format all code with clang-format
	@git ls-files '*.c' '*.h' | xargs clang-format -i
clean: ## remove all build output
	rm -rf $(BUILD)
help: ## print this list
	@grep -hE '^[a-z][a-z -]*:.*## ' Makefile | sed 's/:.*## /\t/' | sort | \
	    awk -F '\t' '{printf "  %-16s %s\n", $$1, $$2}'
