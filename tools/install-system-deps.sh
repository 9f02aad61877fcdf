#!/usr/bin/env bash
# Installs what `npm run test:system` needs beyond npm, on Debian 12. Run it as root. apt starts no daemon here: the
# tests start what they need themselves, on free loopback ports, and stop it again.
set -euo pipefail

# One line per package, with the tests that need it.
packages=(
  apache2-utils   # test/system/registry-auth.test.ts, targets: the passwords of a registry
  busybox-static  # test/system/fence.test.ts: a shell that hosts of targets have
  curl            # test/system/targets/example.test.ts: as its reader has it
  docker-compose  # test/system/targets/compose.test.ts: Compose
  docker.io containerd # test/system/targets: an engine whose containers are real
  docker-registry # test/system/registry.test.ts: a real OCI registry
  faketime        # test/system/torture: a replica whose clock is wrong
  fish            # test/system/completion.test.ts: the tab key
  gcc libc6-dev   # test/system/models.test.ts: compiles what spin makes
  iproute2        # test/system/torture: a replica in a network of its own; targets: hosts
  iptables        # test/system/targets/example.test.ts: an engine with a bridge, in a network of its own
  nftables        # test/system/torture: which is cut off
  openssh-server openssh-client # test/system/ssh-hosts.test.ts, targets/ssh.test.ts: hosts of targets
  postgresql-15   # test/system/primary.test.ts, store.test.ts, torture: the oldest PostgreSQL that is supported, with standbys
  prometheus prometheus-alertmanager # test/system/alerts: a real alert, from the scrape to the webhook
  spin            # test/system/models.test.ts: the model checker
  systemd         # test/system/service.test.ts: systemd-analyze, which checks the unit
  zsh             # test/system/completion.test.ts: the tab key
)

if [ "$(id -u)" -ne 0 ]; then
  echo "install-system-deps.sh: must run as root; try: sudo $0" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "install-system-deps.sh: no apt-get here; install by hand: ${packages[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Packages of daemons would start them; 101 says "not allowed" to their install scripts.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get install -y -q --no-install-recommends "${packages[@]}"
