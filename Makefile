# `make` lists the targets. It requires Rust, Python 3.11 or later and a C compiler, and installs the other
# tools into .venv and target.

PYTHON ?= python3
# Rejects a file whose hash is not listed.
INSTALL := .venv/bin/uv pip install --quiet --no-cache --require-hashes

# sam finds cargo-lambda on the PATH, and cargo-lambda finds the linker there.
SAM := PATH="$(CURDIR)/.venv/bin:$$PATH" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1 .venv/bin/sam
# Uses the Node.js in .venv.
NODE_MODULES := PATH="$(CURDIR)/.venv/bin:$$PATH" target/tools/openapi/node_modules/.bin
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE_MODULES)/redocly
ARM64 := aarch64-unknown-linux-gnu

# `make test` runs three lists in parallel: the first compiles the workspace, the second compiles in
# folders of its own, and the third downloads, waits, and runs programs that the first compiles.
COMPILING := lint unit load-check fuzz-check
OPTIMISING := counts sam-build
RUNNING := deny links audit asvs forwarder user-mail deploy-check deployer-policy template terraform \
  sam-validate cfn-lint checkov cdk dev-check page clients kotlin openapi cognito-clients schemathesis \
  check-policy e2e
CHECKS := $(COMPILING) $(OPTIMISING) $(RUNNING)
in_order = for check in $(1); do $(MAKE) --no-print-directory $$check || exit; done
# Versions of make without this option mix the lists' output.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
WORKFLOW := .github/workflows/test.yml

# Builds every program of the workspace, with the same features as the tests.
BUILD := cargo build --workspace --bins --locked

# A check that this machine cannot run exits with 77. `make test` lists these checks at its end; with CI
# set, they fail.
SKIPPED := target/not-checked
or_skip = || { status=$$?; [ $$status = 77 ] && [ -z "$$CI" ] || exit $$status; \
  mkdir -p target; echo '$@ ($(1))' >> $(SKIPPED); }

.PHONY: help dev quick test compiling optimising running prerequisites fmt features $(CHECKS) swift \
  collection api-page bench bench-policy corpus deploy faults load fuzz release reproducible requirements clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: .venv/installed ## Run the function and a fake Cognito here, and print commands to try
	@.venv/bin/python tests/local/dev.py

quick: lint unit ## Check format, lints and documentation, and run the Rust tests

test: ## Run every check, as CI does
	@rm -f $(SKIPPED)
	@$(MAKE) --no-print-directory --jobs=3 $(SYNC) compiling optimising running
	@[ ! -s $(SKIPPED) ] || echo "Not checked: $$(paste -sd, $(SKIPPED) | sed 's/,/, /g')."

compiling:
	+@$(call in_order,$(COMPILING))

optimising: .venv/installed
	+@$(call in_order,$(OPTIMISING))

running: .venv/installed
	+@$(call in_order,$(RUNNING))

fmt: ## Format the Rust code
	cargo fmt --all

lint: prerequisites features ## Check format, lints and documentation
	@[ "$(sort $(CHECKS))" = "$$(sed -n 's/^          - \([a-z]\)/\1/p' $(WORKFLOW) | tr ' ' '\n' | sort | xargs)" ] \
	  || { echo "The jobs of $(WORKFLOW) do not run every check."; exit 1; }
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

prerequisites:
	@tests/local/prerequisites.sh $(PYTHON)

features: prerequisites ## Check that the SDK is compiled once, and shipped without test features
	@$(PYTHON) tests/local/features.py

# Most of these tests wait, mainly for timeouts.
unit: prerequisites ## Run the Rust tests
	RUST_TEST_THREADS=8 cargo test --workspace --locked

deny: target/tools/bin/cargo-deny ## Check the dependencies: licences, sources, versions, advisories
	$< check licenses bans sources
	@if timeout 60 $< fetch db 2> /dev/null; then $< check --disable-fetch advisories; \
	elif [ -n "$$ADVISORIES_REQUIRED" ]; then echo "The database of advisories cannot be fetched."; exit 1; \
	else mkdir -p target; echo "advisories (their database cannot be fetched)" >> $(SKIPPED); fi

e2e: .venv/installed ## Change passwords in moto, with the function under cargo lambda watch
	.venv/bin/python tests/local/e2e.py

check-policy: .venv/installed ## Test check-policy with a pool and a web ACL in moto
	.venv/bin/python tests/local/check_policy.py

dev-check: .venv/installed ## Test the commands that `make dev` prints
	.venv/bin/python tests/local/dev.py --check

page: .venv/installed ## Test the page of `make dev` in a headless Chromium
	.venv/bin/python tests/local/page.py $(call or_skip,no Chromium)

clients: .venv/installed ## Build clients/typescript and run its tests against the function
	.venv/bin/python tests/local/clients.py typescript

kotlin: .venv/installed ## Build and lint clients/kotlin and run its tests against the function
	.venv/bin/python tests/local/clients.py kotlin $(call or_skip,no JDK or no Maven)

# Not part of `make test`, because few machines have Swift.
swift: .venv/installed ## Build clients/swift and run its tests against the function
	.venv/bin/python tests/local/clients.py swift $(call or_skip,no Swift)

openapi: target/tools/openapi/installed ## Check openapi.yaml with Redocly and Spectral, and run its Postman collection
	$(REDOCLY) lint --config tests/local/openapi/redocly.yaml openapi.yaml
	$(NODE_MODULES)/spectral lint --ruleset tests/local/openapi/spectral.yaml --fail-severity warn openapi.yaml
	.venv/bin/python tests/local/openapi.py --check

collection: .venv/installed ## Generate the Postman collection from openapi.yaml
	.venv/bin/python tests/local/openapi.py

api-page: target/tools/openapi/installed ## Render openapi.yaml as target/api.html
	$(REDOCLY) build-docs --output target/api.html openapi.yaml

cognito-clients: .venv/installed ## Change passwords with Cognito's own clients (AWS CLI and SDKs)
	.venv/bin/python tests/local/cognito_clients.py $(call or_skip,no Node.js)

schemathesis: .venv/installed ## Check the function against openapi.yaml
	.venv/bin/openapi-spec-validator openapi.yaml
	.venv/bin/python tests/local/contract.py

sam-validate: .venv/installed ## Check template.yaml
	$(SAM) validate --lint

deploy: .venv/installed ## Deploy with AWS SAM: [STAGE=trial] [POLICY=my-policy.toml] [DRY_RUN=1]
	@STAGE="$(STAGE)" POLICY="$(POLICY)" DRY_RUN="$(DRY_RUN)" .venv/bin/python tools/deploy.py

audit: .venv/installed ## Run the queries of docs/audit-event.md on its sample lines, in SQLite
	.venv/bin/python tests/local/audit.py

links: .venv/installed ## Check the documents' links and the versions that they name
	.venv/bin/python tests/local/links.py

asvs: .venv/installed ## Check that each row of docs/asvs.md has a test, a document or an owner
	.venv/bin/python tests/local/asvs.py

forwarder: .venv/installed ## Test the code in template.yaml
	.venv/bin/python tests/local/forwarder.py

deploy-check: .venv/installed ## Test `make deploy` with a stand-in for AWS SAM
	.venv/bin/python tests/local/make_deploy.py

user-mail: .venv/installed ## Test the mail to users with moto's Cognito, EventBridge and SES
	.venv/bin/python tests/local/user_mail.py

cdk: target/tools/cdk/installed ## Test the templates of a release, and include one in an AWS CDK app
	.venv/bin/python tests/local/cdk.py

template: .venv/installed ## Test template.yaml under every combination of its switches
	.venv/bin/python tests/local/template.py

deployer-policy: .venv/installed ## Check that docs/deployer-policy*.json allow a deployment and nothing else
	.venv/bin/python tests/local/deployer.py

# Without Terraform, this still compares the two, so it does not fail when CI is set.
terraform: .venv/installed ## Compare docs/terraform with template.yaml, and check its format and validations
	.venv/bin/python tests/local/terraform.py || { [ $$? = 77 ] && echo "Terraform's format (no Terraform)" >> $(SKIPPED); }

# Linters check a template with its parameters' defaults, so they also get copies with other defaults.
SWITCHED := target/switched
CLOUDFRONT := docs/cloudfront/template.yaml
CHECKOV := target/tools/checkov/bin/checkov --framework cloudformation --skip-download --compact --quiet
$(SWITCHED)/00.json: template.yaml tests/local/template.py tests/local/forwarder.py .venv/installed
	.venv/bin/python tests/local/template.py --write $(@D)

cfn-lint: $(SWITCHED)/00.json ## Check the templates with CloudFormation's linter
	.venv/bin/python tools/release.py --templates target/templates
	.venv/bin/cfn-lint template.yaml $(SWITCHED)/*.json target/templates/*arm64*
	.venv/bin/cfn-lint --regions us-east-1 -- $(CLOUDFRONT)

checkov: target/tools/checkov/installed $(SWITCHED)/00.json ## Check the templates for weak security
	$(CHECKOV) --directory $(SWITCHED)
	$(CHECKOV) --file $(CLOUDFRONT)

# This checks only that the function builds and can be packaged, so it does not optimise. It writes nothing
# to .aws-sam, which holds the builds for deployment.
sam-build: .venv/installed ## Build for arm64 as `sam build` does, without optimisation
	@([ -d "$$(rustc --print target-libdir --target $(ARM64))" ] || exit 77; \
	export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0; \
	$(SAM) build --build-dir target/sam-build --parameter-overrides Architecture=arm64) \
	$(call or_skip,no Rust for $(ARM64))

bench: ## Compare the function with others, count its instructions, time its parts
	cargo build --profile measure --locked --package measure
	target/measure/measure compare
	target/measure/measure count target/release/change-password || [ $$? = 77 ]
	cargo bench --profile measure --locked --bench request_path

bench-policy: ## Compare the policy's speed with zxcvbn's
	cargo bench --profile measure --locked --bench policy

counts: ## Compare the instruction counts with benches/instructions.toml
	cargo build --release --locked --bin change-password
	$(BUILD)
	target/debug/measure count target/release/change-password $(call or_skip,instructions cannot be counted)

corpus: ## Print the rates at which bad and good passwords are rejected
	cargo test --workspace --locked --test policy corpus -- --nocapture

faults: ## Print the outcome of every fault between the function and Cognito
	FAULTS=all cargo test --workspace --locked --test function faults -- --nocapture

load: ## Test the release binary with 100,000 invocations, and 20,000 at concurrency 16
	cargo build --release --locked --bin change-password
	cargo build --profile measure --locked --package load
	target/measure/load target/release/change-password 100000
	target/measure/load target/release/change-password 20000 16

load-check: ## Test the debug binary with 2,000 invocations, and 2,000 at concurrency 16
	$(BUILD)
	target/debug/load target/debug/change-password 2000
	target/debug/load target/debug/change-password 2000 16

FUZZ_SECONDS ?= 60
fuzz: ## Fuzz the handler and the token parser for FUZZ_SECONDS each
	fuzz/run release $(FUZZ_SECONDS)

fuzz-check: ## Fuzz the handler and the token parser for ten seconds each
	fuzz/run dev 10 $(call or_skip,no C++ compiler)

# On the PATH, where Cargo looks for its subcommands.
RELEASE := PATH="$(CURDIR)/target/tools/bin:$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python
release: .venv/installed target/tools/bin/cargo-auditable target/tools/bin/cargo-cyclonedx ## Make a release's files in target/dist
	$(RELEASE) tools/release.py

# The second time in a clone, which has another path and nothing built in it.
AGAIN := target/again
reproducible: ## Make a release's files twice, and compare them
	@git diff --quiet HEAD || { echo "Commit first: the second build is of the last commit."; exit 1; }
	+@$(MAKE) --no-print-directory release
	rm -rf $(AGAIN)
	git clone --quiet --no-local . $(AGAIN)
	$(RELEASE) $(AGAIN)/tools/release.py
	cmp target/dist/SHA256SUMS $(AGAIN)/target/dist/SHA256SUMS
	rm -rf $(AGAIN)

clean: ## Remove all build output and installed tools
	cargo clean
	rm -rf .venv .aws-sam fuzz/target clients/kotlin/target

# Built without optimisation and debug information, because compiling takes longer than running.
target/tools/bin/cargo-deny:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root target/tools cargo-deny@0.20.2

target/tools/bin/cargo-auditable:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root target/tools cargo-auditable@0.7.7

target/tools/bin/cargo-cyclonedx:
	CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root target/tools cargo-cyclonedx@0.5.9

# In its own environment, because its pins conflict with those of aws-sam-cli.
target/tools/checkov/installed: tests/local/checkov.txt .venv/installed
	$(PYTHON) -m venv --clear $(@D)
	$(INSTALL) --python $(@D)/bin/python --requirement $<
	touch $@

# Packages for Node.js. None of them needs the scripts that it would run here.
target/tools/%/installed: tests/local/%/package-lock.json .venv/installed
	mkdir -p $(@D)
	cp tests/local/$*/package.json $< $(@D)
	cd $(@D) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

.venv/installed: tests/local/requirements.txt tests/local/uv.txt
	@tests/local/prerequisites.sh $(PYTHON)
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes \
	  --requirement tests/local/uv.txt
	$(INSTALL) --python .venv/bin/python --requirement $<
	touch $@

requirements: .venv/installed ## Update the pinned Python packages and their hashes
	for list in requirements checkov uv; do \
	  .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url tests/local/$$list.in --output-file target/$$list.txt \
	  && { echo "# Made by \`make requirements\` from $$list.in, for all platforms."; \
	    cat target/$$list.txt; } > tests/local/$$list.txt || exit; \
	done
