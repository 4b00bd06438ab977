# The commands of fuselab. `make` alone lists them.
CORES ?= $(shell nproc 2>/dev/null || echo 4)
PYTHON := .venv/bin/python
RUN := envs/run.sh
LINT_CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/fuselab/lint
LOCK = $(shell envs/setup/python.sh uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev setup-verify setup-s3 setup-cluster report demo pictures test test-fast test-faults bench bench-overhead bench-perf bench-spans bench-heap bench-capture \
	bench-requests bench-flames bench-scale bench-method bench-counters bench-bisect bench-gate lock clean \
	lint lint-ruff lint-format lint-mypy lint-imports lint-snakefmt lint-workflow lint-rustfmt lint-clippy lint-shell

help: ## list these commands
	@sed -nE 's/^([a-z0-9-]+):[^#]*##([0-9]) (.*)/\2  make \1|\3/p' Makefile | sort | cut -c2- | column -t -s '|'
	@echo 'and for whoever measures more, or changes fuselab:'
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

setup: ##3 install what a report needs: Debian packages, .venv/, cargo tools
	@envs/setup.sh runtime

setup-dev: ## the same, and what the tests and linters need (pjdfstest, fsx and s3s-fs too)
	@envs/setup.sh dev

setup-verify: ## the same as setup, and what `verify: [posix, random]` in an experiment asks for: pjdfstest and fsx
	@envs/setup.sh verify

setup-s3: ## the same as setup, and the S3 server of services/s3.yaml (s3s-fs, which takes two minutes to compile)
	@envs/setup.sh s3

setup-cluster: ## the same as setup, and what submits jobs to slurm: docs/cluster.md
	@envs/setup.sh cluster

report: setup ##1 run the experiments named in config.yaml and write results/report.html
	@$(RUN) .venv/bin/snakemake --cores $(CORES) results/report.html

demo: setup ##2 run hidden-wait and write its report, whole in one file, to docs/demo/report.html
	@$(RUN) .venv/bin/fuselab run hidden-wait
	@$(PYTHON) -m fuselab.report.alone results/hidden-wait/report.html docs/demo/report.html

pictures: setup-dev ## take the pictures of README.md and docs/reading.md anew, of the report that `make demo` wrote
	@$(PYTHON) docs/demo/pictures.py

PYTEST = $(RUN) $(PYTHON) -m pytest tests
# A figure that was taken among neighbours may miss its bounds, and a fault fails again: what failed is asked once more,
# by itself, unless much of it did.
ONCE_MORE = { test $$? = 1 && echo 'test: once more, by themselves:' && $(PYTEST) --last-failed --last-failed-no-failures none --maxfail 3; }

# One more worker than processors, for mounts wait more than they work; a file stays with one worker and its fixtures.
test: TESTERS = $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))
test: setup-dev ##4 run all tests, with real mounts and real loads (some 40 minutes)
	@# Builds first, one after the other: tests side by side would wait for each other's.
	@$(RUN) .venv/bin/snakemake --cores $(CORES) --quiet all --until build -- results/tour/report.html results/quickstart/report.html
	@$(PYTEST) -m 'not alone' --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder || $(ONCE_MORE)
	@$(PYTEST) -m alone || $(ONCE_MORE)

test-fast: setup-dev ## run the tests that mount nothing (two minutes of two cores)
	@$(PYTEST) -m 'not mount and not slow' --numprocesses auto

test-faults: setup-dev ## faults at random moments of a real experiment (SEED=N ROUNDS=N; half an hour): things left, blocks lost, wrong figures
	@$(RUN) $(PYTHON) -m tests.faults.matrix $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS))

LINTERS := lint-ruff lint-format lint-mypy lint-imports lint-snakefmt lint-workflow lint-rustfmt lint-clippy lint-shell

lint: setup-dev ## check Python, Snakemake, Rust and shell files: goes through all linters, then fails if one did
	@$(RUN) $(MAKE) --no-print-directory --keep-going $(LINTERS)

lint-ruff: ## one of the linters alone
	.venv/bin/ruff check .

lint-format: ## one of the linters alone
	.venv/bin/ruff format --check .

lint-mypy: ## one of the linters alone
	.venv/bin/mypy scripts/fuselab tests

lint-imports: ## one of the linters alone (import-linter: which room may import which)
	.venv/bin/lint-imports --no-cache

lint-snakefmt: ## one of the linters alone
	.venv/bin/snakefmt --check Snakefile rules

lint-workflow: ## one of the linters alone (snakemake --lint)
	.venv/bin/snakemake --lint

lint-rustfmt: ## one of the linters alone
	cargo fmt --check --manifest-path targets/demofs/Cargo.toml
	cargo fmt --check --manifest-path tools/spans/Cargo.toml
	cargo fmt --check --manifest-path tools/names/Cargo.toml
	cargo fmt --check --manifest-path tools/relay/Cargo.toml

# Both sets of features, because each compiles code that the other does not see.
lint-clippy: CLIPPY = cargo clippy --quiet --locked --all-targets --manifest-path targets/demofs/Cargo.toml
lint-clippy: ## one of the linters alone (plain, and with every feature)
	CARGO_TARGET_DIR=$(LINT_CACHE)/plain $(CLIPPY) -- -D warnings
	CARGO_TARGET_DIR=$(LINT_CACHE)/profiling RUSTFLAGS='--cfg tokio_unstable' $(CLIPPY) --all-features -- -D warnings
	for tool in spans names relay; do CARGO_TARGET_DIR=$(LINT_CACHE)/tools cargo clippy --quiet --locked --all-targets \
		--manifest-path tools/$$tool/Cargo.toml -- -D warnings || exit 1; done

lint-shell: ## one of the linters alone (shellcheck)
	shellcheck $(shell git ls-files '*.sh' .ci/run)

BENCHES := bench-overhead bench-perf bench-requests bench-spans bench-heap bench-capture
# No prerequisites: make would run them side by side under -j, and they are timed.
bench: setup-dev ## measure each promise about speed, size and cost (8 minutes; 15 when the large binaries are not built yet)
	@for bench in $(BENCHES); do echo "== $$bench"; $(RUN) $(MAKE) --no-print-directory $$bench || exit; done

bench-overhead: setup ## what fuselab itself adds to a timed run, against a bare shell script (half a minute)
	@$(RUN) $(PYTHON) tests/bench/overhead.py

bench-perf: setup ## from perf.data of 16 threads to a flamegraph (half a minute)
	@$(RUN) $(PYTHON) tests/bench/perf.py

bench-requests: setup ## what seeing every FUSE request costs, loses and takes to process (2 minutes; the first time 4)
	@$(RUN) $(PYTHON) tests/bench/requests.py

bench-heap: setup ## heap dumps of large binaries, against jeprof (2 minutes; the first time 7, and 3 GB of cache)
	@$(RUN) $(PYTHON) tests/bench/heap.py

bench-spans: setup ## a trace of 3 million events, against json.load and pandas (a minute)
	@$(RUN) $(PYTHON) tests/bench/spans.py

bench-capture: setup ## a capture of a 1 GB binary that logs 30 MB/s, against the profiler alone (3 minutes; the first time 8)
	@$(RUN) $(PYTHON) tests/bench/capture.py

bench-flames: setup-dev ## a flamegraph of 100,000 stacks in a browser: first paint, zoom, search, inverted (a minute)
	@$(RUN) $(PYTHON) -m tests.bench.flames

bench-counters: setup-dev ## 20 rounds of counters under load: is chance named, is what was planted found (an hour, and more beside others)
	@$(RUN) $(PYTHON) tests/bench/counters_real.py $(if $(EXPERIMENTS),--experiments $(EXPERIMENTS))

bench-bisect: setup-dev ## a change planted in one of 16 commits of demofs: is it found? (40 bisects of 2 to 6 minutes; BISECTS=N)
	@$(RUN) $(PYTHON) tests/bench/bisect_real.py $(if $(BISECTS),--bisects $(BISECTS))

bench-gate: setup-dev ## 40 pull requests that change nothing and 40 that are 10 % slower: who gets a comment? (2 hours; TRIES=N)
	@$(RUN) $(PYTHON) tests/bench/gate_real.py $(if $(TRIES),--tries $(TRIES))

bench-method: setup-dev ## what the verdicts find and how often they are wrong: simulated and on recorded noise (7 minutes of CPU), and on demofs (an hour)
	@$(RUN) $(PYTHON) tests/bench/method_simulated.py
	@$(RUN) $(PYTHON) tests/bench/nights_simulated.py
	@$(RUN) $(PYTHON) tests/bench/slices_replayed.py
	@$(RUN) $(PYTHON) tests/bench/method_real.py $(if $(EXPERIMENTS),--experiments $(EXPERIMENTS))
	@$(RUN) $(PYTHON) tests/bench/method_real.py --design slices $(if $(EXPERIMENTS),--experiments $(EXPERIMENTS))

bench-scale: setup-dev ## the DAG and the report of 10,000 blocks, and the page of 30 variants under 6 loads (BLOCKS=N)
	@$(RUN) $(PYTHON) -m tests.bench.scale $(if $(BLOCKS),--blocks $(BLOCKS))

lock: setup-dev ## pin the requirements again (UPGRADE=1: to the newest versions that fit)
	cd envs && $(LOCK) requirements.in --output-file requirements.txt
	cd envs && $(LOCK) requirements-cluster.in --output-file requirements-cluster.txt
	cd envs && $(LOCK) requirements-dev.in --output-file requirements-dev.txt
	cd envs && $(LOCK) uv.in --output-file uv.txt

clean: ##5 remove what can be made again without measuring: the environment and the tools' caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache scripts/*.egg-info
	find scripts tests -name __pycache__ -prune -exec rm -rf {} +
