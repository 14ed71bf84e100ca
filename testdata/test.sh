# The quick suite: formatting, vet for both ISAs, unit tests, arm64 tests under
# emulation. Called by make test.
set -eu
GO=${GO:-go}
echo "== gofmt"
bad=$(find . -name '*.go' -not -path './bin/*' -print0 | xargs -0 gofmt -l)
[ -z "$bad" ] || { echo "not formatted: $bad"; exit 1; }
echo "== vet, amd64 and arm64"
GOARCH=amd64 $GO vet ./...
GOARCH=arm64 $GO vet ./...
echo "== tests"
$GO test -short ./...
if command -v qemu-aarch64 >/dev/null 2>&1; then
  echo "== arm64 under qemu"
  GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $GO test -short -exec qemu-aarch64 ./generated/glyphs ./runtime
else
  echo "SKIP arm64 tests: no qemu-aarch64 (Debian package qemu-user)"
fi
echo "ok: the quick suite passes"
