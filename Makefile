# Common commands; `make` lists them. Each command installs missing prerequisites first.

calm := .build/release/calm
formatted := Package.swift Sources Tests examples/Package.swift examples/Sources

# Without testable imports, the tests link the objects of the release build instead of compiling every module again.
test_flags := -c release --disable-testable-imports --disable-xctest --quiet

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Train, evaluate and sample a small model on synthetic stories (options: ARGS="--text FILE")
	@$(calm) demo $(ARGS)

.PHONY: build
build: swift libtorch ## Build the command-line program, .build/release/calm
	swift build -c release --product calm

# The package has the server only with this variable: see Package.swift.
serve test-server test-long: export CALM_SERVER = 1

.PHONY: serve
serve: swift libtorch ## Build the server, .build/release/calm-serve, for calm serve
	swift build -c release --product calm-serve

.PHONY: test
test: swift libtorch ## Run the tests, except for those of the server
	Tests/scripts/test-set-up-libtorch
	Tests/scripts/test-gpu-check
	swift build -c release
	Tests/scripts/test-cuda-loading
	swift test $(test_flags) --skip CALMServerTests

# In a run of their own: they wait for replies, and other tests would keep the threads busy that send them.
.PHONY: test-server
test-server: swift libtorch ## Build the server and run its tests
	swift build -c release
	swift test $(test_flags) --filter CALMServerTests

.PHONY: test-long
test-long: export CALM_LONG_TESTS = 1
test-long: test test-server ## Run all tests, including those that take minutes

.PHONY: test-processors
test-processors: test ## Run the tests, then again without AMX, with AVX2 only, and on one thread
	CALM_CPU=avx512 swift test $(test_flags) --skip-build --skip CALMServerTests
	CALM_CPU=avx2 swift test $(test_flags) --skip-build --skip CALMServerTests
	OMP_NUM_THREADS=1 swift test $(test_flags) --skip-build --skip CALMServerTests

.PHONY: test-kernels
test-kernels: ## Run the built tests of kernels and models, for example with CALM_CPU=avx2
	swift test $(test_flags) --skip-build --filter 'TorchTests|CALMTests'

# The table in docs/benchmarks.md to write.
NAME ?= this-machine

.PHONY: bench
bench: swift libtorch ## Time every job for docs/benchmarks.md (options: NAME=amd-epyc, ARGS="--official DIR --python PATH")
	swift build -c release --product calm-bench
	.build/release/calm-bench --shape small wide --precision float32 bfloat16 \
	  --out docs/benchmarks/$(NAME).json --markdown docs/benchmarks.md $(ARGS)

.PHONY: docs
docs: swift libtorch ## Build the documentation of the library, .build/documentation
	CALM_DOCS=1 swift package -c release --allow-writing-to-directory .build/documentation \
	  generate-documentation --target CALM --output-path .build/documentation --warnings-as-errors

.PHONY: examples
examples: swift libtorch ## Build the example programs, examples/.build
	swift build --package-path examples

.PHONY: format
format: swift ## Format all Swift files in place
	swift format --in-place --recursive --parallel $(formatted)

.PHONY: lint
lint: swift ## Check the formatting of all Swift files
	swift format lint --strict --recursive --parallel $(formatted)

.PHONY: clean
clean: ## Remove build products (libtorch stays in the user's cache)
	rm -rf .build examples/.build

.PHONY: swift
swift:
	@command -v swift > /dev/null || { echo 'make: Swift is not installed: install Swift 6.3 from swift.org/install' >&2; exit 1; }

.PHONY: libtorch
libtorch:
	@scripts/set-up-libtorch
