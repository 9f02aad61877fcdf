#!/bin/sh
# Installs the components that `npm run test:system` runs against, on Debian or Ubuntu. Needs root. What is installed
# already is left alone, so it can be run again at any time. Starts nothing: the tests start what they need themselves.
set -eu

# docker-registry: an OCI registry, for the registry contract suite.
PACKAGES='docker-registry'

missing=''
for package in $PACKAGES; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "all there: $PACKAGES"
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "cannot install$missing: apt-get is not there; install them in this system's own way" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "cannot install$missing: not root; run: sudo $0" >&2
  exit 1
fi

# Packages that want to start a daemon are told not to (policy-rc.d, invoke-rc.d(8)); a file that is there is kept.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# The names are separate words on purpose.
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing
echo "installed:$missing"
