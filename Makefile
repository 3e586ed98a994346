# `make check` is what continuous integration runs.
.PHONY: check fmt clippy test doc features page

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

# Opens the attention page in a browser and uses it; pictures end up in target/page. Needs node, npm and chromium.
page:
	mkdir -p target/page
	cargo run -p lookback --example attention_page -- target/page/attention.html
	cd page && npm ci --silent && node check.mjs ../target/page/attention.html ../target/page
