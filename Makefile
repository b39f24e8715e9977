# `make` lists the targets. It needs Rust and Python 3.10 or later; everything else goes into .venv.

PYTHON ?= python3

# On the PATH, where sam looks for cargo-lambda, and cargo-lambda for the compiler's linker.
SAM := PATH="$(CURDIR)/.venv/bin:$$PATH" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1 .venv/bin/sam
ARM64 := aarch64-unknown-linux-gnu

# All of it compiles into target/, one at a time.
.NOTPARALLEL:

CHECKS := lint unit fuzz-check deny e2e dev-check page clients schemathesis load-check \
  audit forwarder sam-validate cfn-lint checkov sam-build counts

.PHONY: help dev test fmt $(CHECKS) bench bench-policy corpus faults load fuzz package clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: .venv/installed ## Run the function and a fake Cognito here, and print commands to try
	@.venv/bin/python tests/local/dev.py

test: $(CHECKS) ## Run every check, as CI does

fmt: ## Format the Rust code
	cargo fmt --all

lint: ## Check format and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

unit: ## Run the Rust tests
	cargo test --workspace --all-features --locked

deny: target/tools/bin/cargo-deny ## Check what we depend on: licences, sources, versions, advisories
	$< check licenses bans sources
	@if timeout 60 $< fetch db 2> /dev/null; then $< check --disable-fetch advisories; \
	else echo "The advisory database cannot be had here: advisories are not checked."; fi

e2e: .venv/installed ## Change a real password: moto as Cognito, cargo lambda watch as Lambda
	.venv/bin/python tests/local/e2e.py

dev-check: .venv/installed ## Try the commands that `make dev` prints
	.venv/bin/python tests/local/dev.py --check

page: .venv/installed ## Use the page of `make dev` in a headless Chromium
	.venv/bin/python tests/local/page.py

clients: .venv/installed ## Check and run the client of docs/clients/typescript.md
	.venv/bin/python tests/local/clients.py

schemathesis: .venv/installed ## Hold the function to openapi.yaml
	.venv/bin/openapi-spec-validator openapi.yaml
	.venv/bin/python tests/local/contract.py

sam-validate: .venv/installed ## Check template.yaml
	$(SAM) validate --lint

audit: .venv/installed ## Run the queries of docs/audit-event.md on its sample lines
	.venv/bin/python tests/local/audit.py

forwarder: .venv/installed ## Run the code that is in template.yaml
	.venv/bin/python tests/local/forwarder.py

cfn-lint: .venv/installed ## Check template.yaml for errors of CloudFormation's
	.venv/bin/cfn-lint template.yaml

# Checkov leaves out what a condition's default switches off, so the events are switched on.
checkov: target/tools/checkov/installed ## Check template.yaml for weak security
	sed '/^  PasswordChangedEvents:/,/Default:/s/"false"/"true"/' template.yaml > target/checkov.yaml
	target/tools/checkov/bin/checkov --framework cloudformation --file target/checkov.yaml \
	  --skip-download --compact --quiet

# Lambda's default processor here is arm64, for which rustc needs a library of its own. Where that
# cannot be had (no rustup, no network), the host's processor shows at least that all else works; that
# is deployed by nobody, and so not optimised.
sam-build: .venv/installed ## Build what `sam deploy` uploads
	@if [ -d "$$(rustc --print target-libdir --target $(ARM64))" ] \
	  || timeout 60 rustup target add $(ARM64); then \
	  processor=arm64; \
	else \
	  processor=$$(uname -m | sed s/aarch64/arm64/); \
	  export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0; \
	  echo "Rust for arm64 cannot be had here: building for $$processor instead."; \
	fi; \
	$(SAM) build --parameter-overrides Architecture=$$processor

bench: ## Measure the function beside others, count its instructions, time its parts
	cargo build --profile measure --locked --package measure
	target/measure/measure compare
	target/measure/measure count target/release/change-password
	cargo bench --profile measure --locked --bench request_path

bench-policy: ## Time the policy beside zxcvbn
	cargo bench --profile measure --locked --bench policy

counts: ## Hold the instructions of a start and an answer to benches/instructions.toml
	cargo build --release --locked --bin change-password
	cargo run --quiet --locked --package measure -- count target/release/change-password

corpus: ## Print the rates at which bad and good passwords are refused
	cargo test --workspace --all-features --locked --test policy corpus -- --nocapture

faults: ## Print how the faults between the function and Cognito end
	cargo test --workspace --all-features --locked --test function faults -- --nocapture

load: ## Drive the release binary through 100,000 invocations, and 20,000 at concurrency 16
	cargo build --release --locked --bin change-password
	cargo build --profile measure --locked --package load
	target/measure/load target/release/change-password 100000
	target/measure/load target/release/change-password 20000 16

load-check: ## Drive the debug binary through 2,000 invocations, and 2,000 at concurrency 16
	cargo build --locked --bin change-password
	cargo build --locked --package load
	target/debug/load target/debug/change-password 2000
	target/debug/load target/debug/change-password 2000 16

FUZZ_SECONDS ?= 60
fuzz: ## Fuzz the handler and the token pre-check, FUZZ_SECONDS each
	fuzz/run release $(FUZZ_SECONDS)

fuzz-check: ## Fuzz both for ten seconds each
	fuzz/run dev 10

package: .venv/installed ## Build the function for Lambda without SAM, into target/lambda
	PATH="$(CURDIR)/.venv/bin:$$PATH" cargo lambda build --release --arm64 --locked --bin change-password

clean: ## Remove all that was built or installed
	cargo clean
	rm -rf .venv .aws-sam fuzz/target

# Without optimisation or debug information, since it takes longer to compile than to run.
target/tools/bin/cargo-deny:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root target/tools cargo-deny@0.20.2

# In an environment of its own, since its pins are not those of aws-sam-cli.
target/tools/checkov/installed:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --no-compile --disable-pip-version-check checkov==3.3.30
	touch $@

.venv/installed: tests/local/requirements.txt
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --no-compile --disable-pip-version-check --requirement $<
	touch $@
