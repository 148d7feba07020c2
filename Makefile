# gatehouse. `make help` lists the targets; README.md tells the story.
#
#   make run      install what is missing, build, start the server with its own broker
#   make check    install what the tests need, build with sanitizers, run all of them
#
# V=1 shows the commands. SAN=address,undefined builds with sanitizers (make check does); each flavour has its own folder.

SAN     ?=
FLAVOUR := $(if $(SAN),san,plain)
OUT     := build/$(FLAVOUR)
VERSION := 0.1.0
PREFIX  ?= /usr/local
PYTHON  ?= /usr/bin/python3
CC      ?= cc

V       ?=
at      := $(if $(V),,@)
say     := $(if $(V),@:,@printf)

LIBS    := libmicrohttpd libmosquitto libcjson sqlite3 libuv libsodium libjpeg openssl
SIM_LIBS := libcurl
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
           -Wformat=2 -Wundef -Wpointer-arith -Wcast-align -Wvla -Werror
HARD    := -fstack-protector-strong -fPIE
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DGATEHOUSE_VERSION='"$(VERSION)"' -I. $(WARN) $(HARD) $(CFLAGS) \
           $(shell pkg-config --cflags $(LIBS)) -MMD -MP
ALL_LIBS = $(shell pkg-config --libs $(LIBS)) -lpthread -lm
SIM_LDLIBS = $(shell pkg-config --libs $(SIM_LIBS))
LDFLAGS ?=
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)
ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=$(SAN)
else
ALL_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

ROOMS   := server/base state actions mqtt server
LIB_SRC := $(filter-out server/main.c,$(foreach room,$(ROOMS),$(wildcard $(room)/*.c)))
LIB_OBJ := $(LIB_SRC:%.c=$(OUT)/%.o)
SIM_SRC := $(wildcard tests/simulator/*.c)
SIM_OBJ := $(SIM_SRC:%.c=$(OUT)/%.o) $(filter $(OUT)/server/base/%,$(LIB_OBJ))
UNIT_SRC := $(shell find tests/unit -name 'test_*.c')
UNIT_BIN := $(UNIT_SRC:%.c=$(OUT)/%)
UNIT_LIB := $(patsubst %.c,$(OUT)/%.o,$(filter-out $(UNIT_SRC),$(shell find tests/unit -name '*.c')))

.PHONY: all help deps deps-test run demo check check-build unit wire lint fuzz fuzz-replay bench docs format install clean san
.DEFAULT_GOAL := all

all: build/gatehouse build/gatehouse-sim ## build build/gatehouse and build/gatehouse-sim
	@:

build/gatehouse build/gatehouse-sim: build/%: $(OUT)/% FORCE
	@cmp -s $< $@ || install -m 755 $< $@
FORCE:

$(OUT)/gatehouse: $(OUT)/server/main.o $(OUT)/libgatehouse.a
	$(say) '  link  %s\n' $@
	$(at)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)
$(OUT)/gatehouse-sim: $(SIM_OBJ)
	$(say) '  link  %s\n' $@
	$(at)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SIM_LDLIBS) $(ALL_LIBS)
$(OUT)/libgatehouse.a: $(LIB_OBJ)
	@rm -f $@
	$(at)ar rcs $@ $^
$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) '  cc    %s\n' $@
	$(at)$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(UNIT_LIB) $(OUT)/libgatehouse.a
	$(say) '  link  %s\n' $@
	$(at)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(ALL_LIBS)
-include $(shell find build -name '*.d' 2>/dev/null)
.SECONDARY:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

deps: ## install what building and running needs (apt; as root or with sudo)
	@packaging/deps.sh run
deps-test: ## install what the tests need
	@packaging/deps.sh test

# As many compilers as processors, where the command line says nothing else.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
run: ## install what is missing, build, start the server with its own broker
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(jobs) all
	@exec build/gatehouse

demo: ## the whole story in half a minute: server, board, phone, camera
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(jobs) all
	@examples/demo.sh

SANITIZE := SAN=address,undefined
check: check-build ## install what the tests need, build with sanitizers, run all tests
	@tests/run_all.sh
check-build:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory $(jobs) all
	@$(MAKE) --no-print-directory $(jobs) $(SANITIZE) san

san: $(OUT)/gatehouse $(OUT)/gatehouse-sim $(UNIT_BIN)
unit: ## the unit tests alone (with sanitizers)
	@$(MAKE) --no-print-directory $(jobs) $(SANITIZE) san && tests/run_unit.sh
wire: ## the tests over the wire alone (with sanitizers)
	@$(MAKE) --no-print-directory $(jobs) $(SANITIZE) san && tests/run_wire.sh
lint: ## the arrow, banned functions, formatting, clang-tidy, cppcheck
	@tests/lint/run.sh
fuzz-replay: ## the fuzz targets over their seeds
	@tests/fuzz/run.sh replay
fuzz: ## fuzz each target for SECONDS_EACH (60)
	@tests/fuzz/run.sh fuzz
BENCH_BIN := $(patsubst tests/bench/%.c,build/bench/%,$(wildcard tests/bench/*.c))
build/bench/%: $(OUT)/tests/bench/%.o $(filter-out %/sim_main.o,$(SIM_OBJ))
	@mkdir -p $(@D)
	$(say) '  link  %s\n' $@
	$(at)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SIM_LDLIBS) $(ALL_LIBS)
bench: all $(BENCH_BIN) ## measure, side by side with the bare libraries and the broker alone
	@tests/bench/run.sh
docs: all ## write docs/tables.md and config.json.example from the tables in the program
	@build/gatehouse list > docs/tables.md
	@build/gatehouse list example > config.json.example
format: ## clang-format in place
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

install: all ## install below PREFIX (/usr/local)
	install -D -m 755 build/gatehouse $(DESTDIR)$(PREFIX)/bin/gatehouse
	install -D -m 755 build/gatehouse-sim $(DESTDIR)$(PREFIX)/bin/gatehouse-sim
	install -d $(DESTDIR)$(PREFIX)/share/gatehouse/www
	install -m 644 www/* $(DESTDIR)$(PREFIX)/share/gatehouse/www/
	install -D -m 644 config.json.example $(DESTDIR)$(PREFIX)/share/gatehouse/config.json.example
clean: ## remove build/
	rm -rf build
