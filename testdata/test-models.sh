# Verifies networks with reference outputs, where their folder is there:
# FLEXNNC_MODELS, or models/ in the folder "shared" beside the project.
set -eu
models=${FLEXNNC_MODELS:-../shared/models}
if [ ! -d "$models" ]; then
  echo "SKIP models: no folder $models (set FLEXNNC_MODELS)"
  exit 0
fi
flexnnc=bin/flexnnc
arm64=
if command -v qemu-aarch64 >/dev/null 2>&1; then arm64="--arch arm64"; else echo "SKIP arm64: no qemu-aarch64"; fi
echo "== networks, three budgets, every architecture"
$flexnnc verify --case testdata/glyphs/case.json --case "$models/trained/mnist" \
  --arch amd64 --arch portable $arm64
echo "== networks, three budgets, amd64"
for n in trained/squeezenet_v1.1 trained/ultraface_rfb320 synthetic/squeezenet synthetic/mobilenet synthetic/resnet18; do
  $flexnnc verify --case "$models/$n" --arch amd64
done
