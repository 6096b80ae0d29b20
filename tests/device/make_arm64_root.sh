#!/bin/sh
# Makes a 64-bit Arm device to run in emulation: Debian's Python, onnxruntime and kaprune-edge-runtime, unpacked from
# packages. Nothing is installed on this machine; apt works on lists and a cache of its own.
#
#   make_arm64_root.sh FOLDER WHEEL
#
# FOLDER/python is the device's Python. 1.27.0 is the newest onnxruntime that runs in qemu 7.2.
set -eu
folder=$(realpath -m "$1")
wheel=$2
onnxruntime=1.27.0

if [ ! -x "$folder/python" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
  : >"$folder/apt/status"
  debian() {
    apt-get --quiet --quiet -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root \
      -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt" "$@"
  }
  debian update
  debian install --yes --no-install-recommends --download-only python3 libstdc++6 libgomp1
  for package in "$folder"/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
  done
  cat >"$folder/python.partial" <<END
#!/bin/sh
exec qemu-aarch64-static -cpu cortex-a76 -L "$folder/root" "$folder/root/usr/bin/python3" "\$@"
END
  chmod +x "$folder/python.partial"
  mv "$folder/python.partial" "$folder/python"
  rm -rf "$folder/apt"
fi

packages=$folder/root/usr/lib/python3/dist-packages
install() {
  "$(dirname "$0")/../../.venv/bin/pip" install --quiet --upgrade --target "$packages" --only-binary=:all: \
    --implementation cp --python-version "$("$folder/python" -c 'import platform; print(platform.python_version())')" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux_2_34_aarch64 "$@"
}
[ -e "$packages/onnxruntime-$onnxruntime.dist-info" ] || install "onnxruntime==$onnxruntime" "$wheel"
install --no-deps --force-reinstall "$wheel"
