# make demo   compile the built-in network, build static binaries, read pictures
# make test   the quick suite; installs qemu where it may, else skips arm64 by name
# make generate, make test-models, make test-plans, make fuzz   what they say
# make grids    random shapes of each weighted and spatial layer, on every architecture
# make kernels-table   measures kernels on this machine, into docs/kernels.md and its picture; make code-size, the sizes there
# make arm64-cost   instructions and modelled cycles on arm64, into docs/arm64-cost.md

GO     ?= go
BUDGET ?= 96KiB
GLYPHS := testdata/glyphs

.PHONY: code-size coverage kernels-table picture demo test test-models test-plans grids fuzz generate generated-check arm64-cost arm64-cost-check tools cost-tools clean

demo:
	@mkdir -p bin
	@$(GO) build -o bin/flexnnc ./cmd/flexnnc
	@echo "== compile the network for a budget of $(BUDGET)"
	@bin/flexnnc compile --param $(GLYPHS)/glyphs.param --bin $(GLYPHS)/glyphs.bin --budget $(BUDGET) --out generated/glyphs
	@echo "== build static binaries for this machine and for linux/arm64"
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/demo ./generated/demo
	@CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -o bin/demo-arm64 ./generated/demo
	@ls -l bin/demo bin/demo-arm64 | awk '{print "   " $$9 ": " $$5 " bytes"}'
	@echo "== read $(GLYPHS)/pictures"
	@bin/demo $(GLYPHS)/pictures/*.png
	@echo "== the arena: bytes over steps"
	@bin/flexnnc plan --param $(GLYPHS)/glyphs.param --budget $(BUDGET)

test: tools
	@GO="$(GO)" sh testdata/test.sh

test-models:
	@mkdir -p bin
	@$(GO) build -o bin/flexnnc ./cmd/flexnnc
	@GO="$(GO)" SCOPE="$(SCOPE)" sh testdata/test-models.sh

# Writes docs/coverage.md; VERIFIED names files that flexnnc verify --json wrote.
coverage:
	@mkdir -p bin
	$(GO) run ./cmd/coverage -verify "$(VERIFIED)" > bin/coverage.md && mv bin/coverage.md docs/coverage.md

# The drawing in README.md.
picture:
	$(GO) run ./cmd/flexnnc plan --param $${FLEXNNC_MODELS:-../shared/models}/synthetic/squeezenet/squeezenet.param --budget 2MB --report docs/squeezenet.svg > /dev/null

# Sections of docs/kernels.md, on an idle machine; KERNELS names what flexnnc bench --kernels --json wrote elsewhere.
kernels-table:
	$(GO) run ./cmd/kernelstable -from "$(KERNELS)"

code-size:
	$(GO) run ./cmd/kernelstable -size -models $${FLEXNNC_MODELS:-../shared/models}

# Plans for ten thousand random networks, small ones against brute force.
test-plans:
	$(GO) test ./compiler/schedule -run 'TestPlans$$' -plans 10000

fuzz:
	$(GO) test -run '^$$' -fuzz FuzzCompile -fuzztime 20s ./compiler
	$(GO) test -run '^$$' -fuzz FuzzParamText -fuzztime 20s ./compiler/ncnn
	$(GO) test -run '^$$' -fuzz FuzzParamBinary -fuzztime 20s ./compiler/ncnn
	$(GO) test -run '^$$' -fuzz FuzzWeights -fuzztime 20s ./compiler/ncnn

grids: tools
	$(GO) test -count=1 -run 'TestShapeGrids|TestRedZones|TestRandomNetworks' ./cmd/flexnnc/harness

generate:
	$(GO) run ./avo/kernel/gen
	$(GO) run ./cmd/flexnnc compile --param $(GLYPHS)/glyphs.param --bin $(GLYPHS)/glyphs.bin --budget $(BUDGET) --out generated/glyphs

generated-check: generate
	@git diff --exit-code --stat -- generated || { echo "generated/ is not what the generators write: commit the result of make generate"; exit 1; }

arm64-cost: cost-tools
	@$(GO) run ./cmd/arm64cost -models $${FLEXNNC_MODELS:-../shared/models} -out docs/arm64-cost.md -write

arm64-cost-check: cost-tools
	@$(GO) run ./cmd/arm64cost -models $${FLEXNNC_MODELS:-../shared/models} -check

# What counts instructions and models cycles. Only root on Debian installs it; others skip.
cost-tools:
	@if ! command -v llvm-mca-19 >/dev/null 2>&1 || ! command -v qemu-aarch64 >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "installing qemu-user, llvm-19 and gcc to model arm64 CPUs"; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-user llvm-19 gcc libc6-dev; } >/dev/null 2>&1 || echo "they could not be installed"; \
	  fi; \
	fi

# qemu-user runs the arm64 tests. Only root on Debian installs it; others skip.
tools:
	@if ! command -v qemu-aarch64 >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "installing qemu-user for the arm64 tests"; \
	    { apt-get update -qq && apt-get install -y -qq qemu-user; } >/dev/null 2>&1 || echo "qemu-user could not be installed"; \
	  fi; \
	fi

clean:
	rm -rf bin
