#!/bin/sh
# Install a browser for the tests of the pages, where there is none and this may be done; say so where not.
# It never fails: those tests skip without a browser, and say why.
set -u

for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
    command -v "$name" > /dev/null 2>&1 && exit 0
done

say() { echo "no browser for the tests: $1; those that need one will be skipped" >&2; }

command -v apt-get > /dev/null 2>&1 || { say "chromium is missing, and there is no apt-get to install it"; exit 0; }
[ "$(id -u)" = 0 ] || { say "chromium is missing; 'apt-get install chromium' needs root"; exit 0; }

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { timeout 400 apt-get --quiet --yes -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@" >> "$log" 2>&1; }
echo "installing chromium for the tests ..." >&2
apt update
apt install --no-install-recommends chromium || say "apt-get could not install chromium: $(grep '^E:' "$log" | tail -n 1)"
