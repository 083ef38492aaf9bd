#!/usr/bin/env bash
# Puts Python, Ray and this package into ~/.chidori/venv of a node; `ray up` runs it there once Ray has stopped. Repeated,
# it installs only what has changed.
# usage: install.sh [REQUIREMENT]    by default the checkout that this script is in
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirement=${1:-$checkout[ray]}
# One version for every node, however far apart in time they are set up: Ray lets no other join.
ray=2.60.0
venv=$HOME/.chidori/venv
python=${PYTHON:-python3}

usable() {
  "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! usable && command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then root=(); else root=(sudo -n); fi
  "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -y -q python3 python3-venv || true
fi
usable || {
  echo "Error: $python on $(hostname) is not Python 3.11 or newer with venv. Install one and name it: PYTHON=python3.11" >&2
  exit 1
}

sources=()
[ "$requirement" = "$checkout[ray]" ] && sources=(pyproject.toml chidori_actors actors)
state=$(
  cd "$checkout"
  echo "$requirement ray==$ray $("$python" -V)"
  [ ${#sources[@]} = 0 ] || find "${sources[@]}" -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum
)
[ "$(cat "$venv/.installed" 2>/dev/null)" = "$state" ] && exit 0

[ -x "$venv/bin/pip" ] || "$python" -m venv --clear "$venv"
rm -f "$venv/.installed"
"$venv/bin/pip" install --quiet --disable-pip-version-check "ray[default]==$ray" "$requirement"
printf '%s\n' "$state" >"$venv/.installed"
