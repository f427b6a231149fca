#!/bin/sh
# Install what the JavaScript package under web/ is built and tested with, where there is Node; say so where not.
# It never fails: the tests that need it skip without it, and say why.
set -u
cd "$(dirname "$0")/../web" || exit 1

say() { echo "nothing to build or test web/ with: $1; the tests that need it will be skipped" >&2; }

stamp=node_modules/.package-lock.json # npm writes it last
[ "$stamp" -nt package-lock.json ] && [ "$stamp" -nt package.json ] && exit 0
command -v npm > /dev/null 2>&1 || { say "Node and npm are missing"; exit 0; }
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { say "Node $(node --version) is older than 20"; exit 0; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing what web/ needs ..." >&2
timeout 400 npm ci > "$log" 2>&1 && { touch "$stamp"; exit 0; }
rm -rf node_modules # half of it would make them fail
say "npm ci did not finish ($(grep -m 1 'npm err' -i "$log"))"
