# `make check` is what continuous integration runs.
.PHONY: check fmt clippy test doc features fixtures corpus bench bench-decoding bench-metrics page

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
	for script in operations scores recurrent training models orders metrics significance rates; do fixtures/.venv/bin/python fixtures/gen/$$script.py || exit 1; done

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

# Scores, lines and p-values beside sacreBLEU's on random odd text, then the times of both.
bench-metrics:
	test -d bench/.venv || python3 -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --requirement bench/requirements-metrics.txt
	bench/.venv/bin/python bench/metrics.py
	bench/.venv/bin/python bench/metrics.py --speed

# Opens the attention page in a browser and uses it; pictures end up in target/page. Needs node, npm and chromium.
page:
	mkdir -p target/page
	cargo run -p lookback --example attention_page -- target/page/attention.html
	cd page && npm ci --silent && node check.mjs ../target/page/attention.html ../target/page
