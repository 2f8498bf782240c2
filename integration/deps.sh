#!/usr/bin/env bash
# Installs the Debian packages that the black-box tests drive, where they are missing: as root, by sudo, or by telling how.
set -euo pipefail
packages=(tgt libiscsi-bin qemu-utils qemu-block-extra qemu-system-common fuse3 e2fsprogs btrfs-progs sg3-utils iproute2 patch
  nfs-ganesha nfs-ganesha-vfs libnfs-utils rpcbind)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; else
  echo "The tests need Debian packages that are missing here. Install them, then run this again:" >&2
  echo "  sudo $install" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# No service of these packages may start by itself: the tests start their own, on their own ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null; $sudo chmod +x $policy
  trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive $install >/dev/null
