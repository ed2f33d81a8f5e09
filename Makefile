# The two commands to know: `make demo` and `make test`. `make help` lists the rest.

FUZZ_SECONDS ?= 30
LOCI = $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)/release/loci

.PHONY: help demo test web-test lint bench proofs release fuzz

help:
	@echo 'make demo    build, get a model and a book, ask the book a question'
	@echo 'make test    all checks and tests, those of the page where Node and Chromium are there'
	@echo 'make web-test  the page of the server in Chromium, against a mock of the server'
	@echo 'make lint    formatting, clippy, crate arrows, file sizes, generated files, built web page'
	@echo 'make bench   speed next to llama.cpp, as ratios'
	@echo 'make proofs  the measurements behind the documentation'
	@echo 'make fuzz    each fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS)) seconds'

demo:
	@scripts/demo.sh

test:
	@scripts/setup-check.sh test
	@$(MAKE) --no-print-directory lint
	@model=$$(scripts/fetch-model.sh) && encoder=$$(scripts/fetch-encoder.sh) && clients=$$(scripts/fetch-clients.sh) && \
	LOCI_TEST_MODEL="$$model" LOCI_TEST_ENCODER="$$encoder" LOCI_TEST_CLIENTS="$$clients" scripts/with-postgres.sh scripts/run-tests.sh

web-test:
	@scripts/web-test.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --features loci/postgres --all-targets --quiet -- -D warnings
	cargo xtask check
	scripts/web-fresh.sh

# Both leave their raw numbers in docs/results.
bench: release
	@python=$$(scripts/setup-bench.sh) && model=$$(scripts/fetch-model.sh) && \
	"$$python" scripts/compare-llama-cpp/run.py --loci "$(LOCI)" --model "$$model" --date "$$(date +%F)"

proofs: bench
	@python=$$(scripts/setup-bench.sh) && model=$$(scripts/fetch-model.sh) && book=$$(scripts/fetch-book.sh) && \
	"$$python" scripts/compare-llama-cpp/perplexity.py "$$book" --loci "$(LOCI)" --model "$$model" && \
	"$$python" scripts/passkey.py --loci "$(LOCI)" --model "$$model"

release:
	@scripts/setup-check.sh demo
	@cargo build --release --locked --package loci

fuzz:
	@scripts/fuzz.sh $(FUZZ_SECONDS)
