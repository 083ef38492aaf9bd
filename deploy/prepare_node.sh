#!/usr/bin/env bash
# Prepares a node for the cluster, once it is installed: the environment of its shells, its secrets' modes, the store's
# directory; `ray up` runs it there.
# usage: prepare_node.sh DIRECTORY    of the store
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
line=". \"$here/environment.sh\""
grep -qxF "$line" ~/.bashrc 2>/dev/null || printf '%s\n' "$line" >>~/.bashrc

chmod 600 ~/.ray/auth_token ~/.chidori/cluster.env

[ -w "$1" ] || mkdir -p "$1" 2>/dev/null || sudo -n install -d -o "$(id -un)" "$1"
[ -w "$1" ] || {
  echo "Error: $(id -un) may not write to $1 on $(hostname). Make that directory and give it to this user." >&2
  exit 1
}
