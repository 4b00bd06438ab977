# The commands of fuselab. `make` alone lists them.
CORES ?= $(shell nproc 2>/dev/null || echo 4)
PYTHON := .venv/bin/python
RUN := envs/run.sh
CARGO_CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/fuselab/lint
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev report test test-fast lint lint-python lint-snakemake lint-rust lint-shell \
	bench bench-method lock clean

help: ## list these commands
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

setup: ## install what a report needs: Debian packages, .venv/, cargo tools
	@envs/setup.sh runtime

setup-dev: ## the same, and what the tests and linters need
	@envs/setup.sh dev

report: setup ## run the experiments named in config.yaml and write results/report.html
	@$(RUN) .venv/bin/snakemake --cores $(CORES) results/report.html

test: setup-dev ## run all tests, with real mounts and real loads (at most 20 minutes)
	@$(RUN) $(PYTHON) -m pytest tests

test-fast: setup-dev ## run the tests that mount nothing (under a minute)
	@$(RUN) $(PYTHON) -m pytest tests -m 'not mount and not slow'

lint: setup-dev ## check style and types of Python, Snakemake, Rust and shell files; checks all, then fails if one did
	@$(RUN) $(MAKE) --no-print-directory --keep-going lint-python lint-snakemake lint-rust lint-shell

lint-python: ## ruff and mypy alone
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy scripts/fuselab
	.venv/bin/mypy tests

lint-snakemake: ## snakefmt and snakemake --lint alone
	.venv/bin/snakefmt --check $(wildcard Snakefile rules)
	.venv/bin/snakemake --lint

# Both sets of features, because each compiles code that the other does not see.
lint-rust: export CARGO_TERM_COLOR = never
lint-rust: ## cargo fmt and clippy alone
	cargo fmt --check --manifest-path targets/demofs/Cargo.toml
	CARGO_TARGET_DIR=$(CARGO_CACHE)/plain \
		cargo clippy --quiet --locked --all-targets --manifest-path targets/demofs/Cargo.toml -- -D warnings
	CARGO_TARGET_DIR=$(CARGO_CACHE)/profiling RUSTFLAGS='--cfg tokio_unstable' \
		cargo clippy --quiet --locked --all-targets --all-features --manifest-path targets/demofs/Cargo.toml \
		-- -D warnings

lint-shell: ## shellcheck alone
	shellcheck $(shell git ls-files '*.sh' .ci/run)

bench: setup ## what fuselab itself adds to a timed run, against a bare shell script
	@$(RUN) $(PYTHON) bench/overhead.py

bench-method: setup-dev ## what the verdicts find and how often they are wrong, by simulation
	@$(RUN) $(PYTHON) bench/method.py

lock: ## pin the requirements again (UPGRADE=1: to the newest versions that fit)
	cd envs && $(LOCK) requirements.in --output-file requirements.txt
	cd envs && $(LOCK) requirements-dev.in --output-file requirements-dev.txt
	cd envs && $(LOCK) uv.in --output-file uv.txt

clean: ## remove what can be made again without measuring: the environment and the tools' caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache scripts/*.egg-info
	find scripts tests -name __pycache__ -prune -exec rm -rf {} +
