# The everyday commands; `make` alone lists them. Each first installs missing prerequisites.

calm := .build/release/calm
formatted := Package.swift Sources Tests

# Without testable imports, tests use the objects of a release build instead of compiling every module again.
test_flags := -c release --disable-testable-imports --disable-xctest --quiet

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Train, evaluate and sample a small model on built-in tales (options: ARGS="--text FILE")
	@$(calm) demo $(ARGS)

.PHONY: build
build: swift libtorch ## Build the command-line program, .build/release/calm
	swift build -c release --product calm

.PHONY: test
test: swift libtorch ## Run the tests
	Tests/scripts/test-set-up-libtorch
	swift build -c release
	swift test $(test_flags)

.PHONY: test-long
test-long: export CALM_LONG_TESTS = 1
test-long: test ## Run the tests, and with them those that take minutes

.PHONY: test-processors
test-processors: test ## Run the tests again without AMX, with AVX2 alone, and on one thread
	CALM_CPU=avx512 swift test $(test_flags) --skip-build
	CALM_CPU=avx2 swift test $(test_flags) --skip-build
	OMP_NUM_THREADS=1 swift test $(test_flags) --skip-build

.PHONY: test-kernels
test-kernels: ## Run the built tests of kernels, models and parity alone, such as with CALM_CPU=avx2
	swift test $(test_flags) --skip-build --filter 'TorchTests|CALMTests'

.PHONY: bench
bench: build ## Time every job into docs/benchmarks.md (beside the official code: ARGS="--official DIR --python PATH")
	$(calm) bench --shape small wide --precision float32 bfloat16 \
	  --out docs/benchmarks.json --markdown docs/benchmarks.md $(ARGS)

.PHONY: format
format: swift ## Format all Swift files in place
	swift format --in-place --recursive --parallel $(formatted)

.PHONY: lint
lint: swift ## Check the formatting of all Swift files
	swift format lint --strict --recursive --parallel $(formatted)

.PHONY: clean
clean: ## Remove what was built here (libtorch stays in the user's cache)
	rm -rf .build

.PHONY: swift
swift:
	@command -v swift > /dev/null || { echo 'make: swift is not installed: get Swift 6.3 from swift.org/install' >&2; exit 1; }

.PHONY: libtorch
libtorch:
	@scripts/set-up-libtorch
