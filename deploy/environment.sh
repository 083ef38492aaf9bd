# The environment of a node: what ~/.bashrc reads there, so that `ray up`, `ray exec`, `ray down` and people have it.
export PATH="$HOME/.chidori/venv/bin:$PATH"
# Without the token Ray refuses to start, rather than to start a cluster that is open to everyone.
export RAY_AUTH_MODE=token
if [ -r "$HOME/.chidori/cluster.env" ]; then
  set -a
  . "$HOME/.chidori/cluster.env"
  set +a
fi
