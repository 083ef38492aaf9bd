#!/usr/bin/env bash
# The first process of a machine made of namespaces (processes, network, mounts): gives it a loopback, empty /tmp, /run,
# /dev/shm and /var/lib, a home, and an SSH server that lets in whoever has the key; prints "ready".
# usage: unshare --pid --fork --kill-child --mount-proc --net --mount machine.sh CHECKOUT HOME
set -euo pipefail
checkout=$1 home=$2

# Covered below when it is in /tmp.
mkdir -p /mnt && mount -t tmpfs tmpfs /mnt
mkdir /mnt/checkout && mount --rbind "$checkout" /mnt/checkout

for directory in /tmp /run /dev/shm /var/lib; do mount -t tmpfs -o mode=1777 tmpfs "$directory"; done
[ -e "$checkout/cluster.yaml" ] || { mkdir -p "$checkout" && mount --rbind /mnt/checkout "$checkout"; }
ip link set lo up

# The account's home directory, where ssh, sshd and `~` look: Python may live in the real one, so that is not covered.
awk -F: -v OFS=: -v user="$(id -un)" -v home="$home" '$1 == user { $6 = home } 1' /etc/passwd >/run/passwd
mount --bind /run/passwd /etc/passwd

mkdir -p "$home/.ssh" "$home/.chidori" /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /run/host_key
ssh-keygen -q -t ed25519 -N '' -f "$home/.ssh/id_ed25519"
cat >/run/sshd.conf <<END
HostKey /run/host_key
AuthorizedKeysFile .ssh/id_ed25519.pub
PasswordAuthentication no
StrictModes no
PidFile none
END
"$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f /run/sshd.conf 2>/run/sshd.log &
until grep -qs listening /run/sshd.log; do kill -0 $!; sleep 0.05; done

echo ready
# As the first process of its namespace it also collects the orphans that `ray start` leaves.
wait $!
