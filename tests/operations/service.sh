#!/bin/bash
# The service under its manager, from start to end; run by under_systemd. Each step says that it went well, or the script ends.
set -eu

property() { systemctl show sowerd --property "$1" --value; }
answers() { curl --silent --fail --output /dev/null --max-time 20 "http://127.0.0.1:9091/$1"; }
# until the command given is so, 20 s at most
until_so() {
    for _ in {1..200}; do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "it did not come about: $*"
    return 1
}
is_another() { [[ $(property MainPID) != "$1" && $(property MainPID) != 0 && $(property SubState) == running ]]; }
is_one() { [[ $(grep --files-with-matches --line-regexp sower /proc/[0-9]*/comm 2>/dev/null | wc --lines) == 1 ]]; }

echo "step: systemd runs"
systemctl start sowerd
answers readyz
[[ $(property NFileDescriptorStore) == 2 ]]
echo "step: started, sockets kept"

first=$(property MainPID)
(while answers readyz; do :; done; echo "an answer is missing") &
asking=$!
systemctl kill --kill-whom=main --signal=USR2 sowerd
until_so is_another "$first"
[[ $(property Result) == success && $(property NRestarts) == 0 ]]
until_so is_one
kill "$asking"
echo "step: a successor is the main process, the first one has ended"

second=$(property MainPID)
printf '\nnonsense = 1\n' >>/var/lib/sower/config.toml
systemctl kill --kill-whom=main --signal=USR2 sowerd
until_so is_one
sleep 1
[[ $(property MainPID) == "$second" && $(property SubState) == running ]]
sed -i '/^nonsense/d' /var/lib/sower/config.toml
echo "step: a successor that does not start changes nothing"

systemctl reload sowerd
[[ $(property MainPID) == "$second" ]]
echo "step: read again"

printf '[Service]\nWatchdogSec=2\nRestartSec=0\n' >/etc/systemd/system/sowerd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart sowerd
third=$(property MainPID)
systemctl kill --kill-whom=main --signal=USR2 sowerd
until_so is_another "$third"
fourth=$(property MainPID)
until_so is_one
sleep 3
[[ $(property MainPID) == "$fourth" ]]
kill -STOP "$fourth"
until_so is_another "$fourth"
answers readyz
echo "step: the watchdog hears the successor, and acts when it stands still"

systemctl stop sowerd
[[ $(property Result) == success ]]
systemctl start sowerd-peers.socket sowerd-api.socket
curl --silent --fail --output /dev/null --unix-socket /run/sower-api.sock http://localhost/readyz
fifth=$(property MainPID)
systemctl kill --kill-whom=main --signal=USR2 sowerd
until_so is_another "$fifth"
curl --silent --fail --output /dev/null --unix-socket /run/sower-api.sock http://localhost/readyz
echo "step: sockets of units go on too"
systemctl stop sowerd
echo "step: ended"
