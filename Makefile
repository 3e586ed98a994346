# `make check` is what continuous integration runs.
.PHONY: check fmt clippy test doc features fixtures corpus bench bench-decoding bench-toolkits bench-metrics page kills \
	properties fuzz miri asan deny machete coverage

check: fmt clippy test features doc

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

test:
	cargo test --workspace --locked

# What wasm32 will build: no training, no files, no threads.
features:
	cargo check -p lookback-kernels --no-default-features --locked
	cargo check -p lookback --no-default-features --locked

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Rewrites the goldens with PyTorch (Python with venv and a network; the tests need neither).
fixtures:
	test -d fixtures/.venv || python3 -m venv fixtures/.venv
	fixtures/.venv/bin/pip install --quiet --requirement fixtures/gen/requirements.txt
	for script in operations scores recurrent training models states orders grid metrics significance rates; do fixtures/.venv/bin/python fixtures/gen/$$script.py || exit 1; done

# Rewrites the quickstart corpus: `make corpus DATA=folder`, see scripts/make-corpus.py.
corpus:
	test -d scripts/.venv || python3 -m venv scripts/.venv
	scripts/.venv/bin/pip install --quiet --requirement scripts/requirements.txt
	scripts/.venv/bin/python scripts/make-corpus.py "$(DATA)"

# The reference step beside PyTorch's, recorded in bench/RECORD.md.
bench:
	test -d bench/.venv || python3 -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --requirement bench/requirements.txt
	bench/.venv/bin/python bench/run.py --record

# Decoding of a fixed size beside PyTorch's, recorded there too.
bench-decoding:
	test -d bench/.venv || python3 -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --requirement bench/requirements.txt
	bench/.venv/bin/python bench/run_decoding.py --record

# Training beside OpenNMT-py and JoeyNMT on the same pieces: `make bench-toolkits DATA=folder` with Multi30k's train.de.gz and train.en.gz. Python 3.8 to 3.11.
bench-toolkits:
	test -d bench/.venv-toolkits || python3 -m venv bench/.venv-toolkits
	bench/.venv-toolkits/bin/pip install --quiet --requirement bench/requirements-toolkits.txt
	bench/.venv-toolkits/bin/pip install --quiet --no-deps OpenNMT-py==3.5.1 joeynmt==2.3.0
	bench/.venv-toolkits/bin/python bench/toolkits.py "$(DATA)" --record

# Scores, lines and p-values beside sacreBLEU's on random odd text, then the times of both.
bench-metrics:
	test -d bench/.venv || python3 -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --requirement bench/requirements-metrics.txt
	bench/.venv/bin/python bench/metrics.py
	bench/.venv/bin/python bench/metrics.py --speed

# Kills a training at 250 random moments and compares it with one that was not: `make kills KILLS=1000`.
kills:
	LOOKBACK_KILLS=$(or $(KILLS),250) cargo test -p lookback-cli --release --locked --test it kills::a_run_killed -- --nocapture

# Opens the attention page in a browser and uses it; pictures end up in target/page. Needs node, npm and chromium.
page:
	mkdir -p target/page
	cargo run -p lookback --example attention_page -- target/page/attention.html
	cd page && npm ci --silent && node check.mjs ../target/page/attention.html ../target/page

# What follows needs more than the stable toolchain; CONTRIBUTING.md says how to get it.

# Every property with 10,000 cases (stable).
properties:
	PROPTEST_CASES=10000 cargo test --workspace --locked --release

# Fuzzes one parser: `make fuzz TARGET=table SECONDS=1800`. Findings lie in fuzz/artifacts. Nightly, cargo-fuzz, a C++ compiler.
TARGET ?= table
SECONDS ?= 60
fuzz:
	test -d fuzz/corpus/$(TARGET) || (cd fuzz && cargo run --quiet --bin seeds)
	cargo +nightly fuzz run --features libfuzzer $(TARGET) -- -max_total_time=$(SECONDS) -max_len=65536 -rss_limit_mb=1024 -malloc_limit_mb=512 -timeout=20

# Undefined behaviour in the portable kernels, the workers, and the tape with its operations. Nightly with miri, whose mathematical functions would differ from call to call.
miri: export MIRIFLAGS = -Zmiri-disable-isolation -Zmiri-deterministic-floats
miri: export PROPTEST_CASES = 4
miri:
	cargo +nightly miri test -p lookback-kernels --lib pool
	cargo +nightly miri test -p lookback-kernels --no-default-features --lib
	cargo +nightly miri test -p lookback --no-default-features --lib -- tape ops::

# Reads and writes out of bounds, in all kernels of this machine. Nightly.
asan:
	RUSTFLAGS="-Zsanitizer=address" cargo +nightly test -p lookback-kernels --lib --target $$(rustc -vV | sed -n 's/^host: //p')

# Licences, sources and known weaknesses of dependencies. cargo-deny.
deny:
	cargo deny --locked check

# Dependencies nobody uses. cargo-machete.
machete:
	cargo machete

# Lines the tests run, by file. cargo-llvm-cov and llvm-tools. Tests kill processes, whose counts cannot be read.
coverage:
	cargo llvm-cov --workspace --locked --summary-only --failure-mode all --ignore-filename-regex '/(fuzz|lookback-testkit)/'
