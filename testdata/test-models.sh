# Verifies networks with reference outputs, where their folder is there:
# FLEXNNC_MODELS, or models/ in the folder "shared" beside the project. SCOPE=ci
# leaves out what takes long: large networks, and most layers under emulation.
set -eu
models=${FLEXNNC_MODELS:-../shared/models}
scope=${SCOPE:-all}
if [ ! -d "$models" ]; then
  echo "SKIP models: no folder $models (set FLEXNNC_MODELS)"
  exit 0
fi
flexnnc=bin/flexnnc
arm64=
if command -v qemu-aarch64 >/dev/null 2>&1; then arm64="--arch arm64"; else echo "SKIP arm64: no qemu-aarch64"; fi

# cases NAME... makes --case options of those folders that are there.
cases() {
  for n in "$@"; do
    if [ -f "$models/$n/case.json" ]; then
      echo "--case $models/$n"
    else
      echo "SKIP $n: not in $models" >&2
    fi
  done
}

# verify 'NAME...' FLAG... verifies those networks that are there.
verify() {
  found=$(cases $1)
  shift
  [ -z "$found" ] || $flexnnc verify --assembly $found "$@"
}
small="trained/mnist trained/dtln_1 trained/silero_vad5 trained/stories260k_modern trained/antispoof_1 trained/mobilefacenet synthetic/blazeface"
trained="trained/fastestdet trained/minivision_facedet trained/mobilenetv2_int8 trained/nanodet_plus_m416 trained/squeezenet_v1.1
  trained/style_candy trained/ultraface_rfb320 trained/waifu2x_upconv7_photo_2x"
synthetic="synthetic/mobilenet_ssd synthetic/nanodet_m synthetic/shufflenet_v2 synthetic/squeezenet synthetic/squeezenet_int8 synthetic/mobilenet
  synthetic/mobilenet_v2 synthetic/mobilenet_v3 synthetic/mnasnet synthetic/yolo-fastestv2 synthetic/resnet18"
large="synthetic/efficientnet_b0 synthetic/yolov4-tiny synthetic/googlenet synthetic/resnet18_bn synthetic/resnet50 synthetic/resnet152
  synthetic/alexnet synthetic/vgg16 synthetic/vgg19 synthetic/vision_transformer synthetic/gpt2"

echo "== small networks, three budgets, every architecture"
$flexnnc verify --assembly --case testdata/glyphs/case.json $(cases $small) --arch amd64 --arch portable $arm64
echo "== trained networks, three budgets, amd64"
verify "$trained" --arch amd64
echo "== synthetic networks, smallest and largest budget, amd64"
verify "$synthetic" --arch amd64 --budget min --budget max
if [ -d "$models/layers" ]; then
  if [ "$scope" = ci ]; then
    echo "== layers, three budgets, amd64"
    $flexnnc verify --assembly --case "$models/layers" --arch amd64 --threads 2
    echo "== some layers, smallest budget, every architecture"
    verify "$(sed 's|^|layers/|' "$models/layers/core.txt")" --arch portable $arm64 --budget min --threads 2
  else
    echo "== layers, three budgets, every architecture"
    $flexnnc verify --assembly --case "$models/layers" --arch amd64 --arch portable $arm64
  fi
else
  echo "SKIP layers: not in $models"
fi
if [ "$scope" = all ]; then
  echo "== large networks, three budgets, amd64"
  for n in $large; do
    verify "$n" --arch amd64
  done
fi
