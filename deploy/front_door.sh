#!/usr/bin/env bash
# Keeps a front door running on the head of a Ray cluster: started again when it ends, ended when the head does (which is
# all that `ray down` stops). Returns once the front door answers; from then on a process of its own, which writes to
# ~/.chidori/front-door.log or the file that CHIDORI_FRONT_DOOR_LOG names.
# usage: front_door.sh PORT AGENT [OPTION OF chidori serve]...    with --host, 127.0.0.1 must be part of it
set -uo pipefail

log=${CHIDORI_FRONT_DOOR_LOG:-$HOME/.chidori/front-door.log}

head_process() { # the process id of this machine's cluster head
  local comm name
  for comm in /proc/[0-9]*/comm; do
    { read -r name <"$comm"; } 2>/dev/null || continue
    [ "$name" = gcs_server ] && { basename "$(dirname "$comm")"; return; }
  done
  return 1
}

answers() { # PORT
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

end() { # PROCESS; its calls settle before it goes
  kill -TERM "$1" 2>/dev/null || return
  timeout 30 tail --pid="$1" -f /dev/null || kill -KILL "$1"
}

attend() { # HEAD PORT AGENT [OPTION]...
  local head=$1 port=$2 door watch code
  shift 2
  while kill -0 "$head" 2>/dev/null; do
    chidori serve "$@" --address auto --port "$port" &
    door=$!
    tail --pid="$head" -f /dev/null 9>&- &
    watch=$!
    wait -n "$door" "$watch"
    kill "$watch" 2>/dev/null
    end "$door"
    wait "$door"
    code=$?
    echo "$(date -u +%FT%TZ) the front door ended with code $code"
    sleep 1
  done
}

if [ "${1:-}" = --attend ]; then
  shift
  attend "$@"
  exit
fi

port=${1:?usage: front_door.sh PORT AGENT [OPTION OF chidori serve]...}
head=$(head_process) || { echo "Error: no head of a Ray cluster runs on $(hostname); start it first." >&2; exit 1; }
# One at a time, also for those that follow: after a restart of the cluster the old front door is still at its last calls.
exec 9>"$HOME/.chidori/front-door.lock"
flock --timeout 60 9 || { echo "Error: a front door runs already on $(hostname); $log is its log." >&2; exit 1; }
setsid nohup bash "${BASH_SOURCE[0]}" --attend "$head" "$@" </dev/null >>"$log" 2>&1 &
for _ in {1..120}; do
  answers "$port" && exit 0
  sleep 0.5
done
echo "Error: the front door does not answer on port $port. The end of $log:" >&2
tail -n 20 "$log" >&2
exit 1
