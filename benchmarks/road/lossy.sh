#!/bin/bash
# lossy.sh STACK LOSS SECONDS VOICE [BURST]: a voice both ways between a peer of libwebrtc's and STACK (spike_engine, aiortc or
# wrtc), over a veth pair between two network namespaces that loses a share of LOSS of the packets each way. Prints JSON lines.
#
# VOICE is a recording. With BURST, losses come in bursts of that mean length (Gilbert 1960), else at random. Needs root, iproute2
# and iptables (Debian), and PYTHON: an interpreter with spike_engine, wrtc, aiohttp, soundfile, soxr, scipy, pesq and speechmos.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stack=$1 loss=$2 seconds=$3 voice=$4 burst=${5:-}
work=$(mktemp -d)
a=road-a-$$ b=road-b-$$ peer=""
cleanup() {
    [ -n "$peer" ] && kill "$peer" 2>/dev/null || true
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

ip netns add "$a"
ip netns add "$b"
ip link add "va$$" netns "$a" type veth peer name "vb$$" netns "$b"
for side in "$a va$$ 10.79.0.1" "$b vb$$ 10.79.0.2"; do
    read -r name link address <<<"$side"
    ip -n "$name" link set lo up
    ip -n "$name" addr add "$address/24" dev "$link"
    ip -n "$name" link set "$link" up
done
drop() { # in namespace $1
    local t="ip netns exec $1 iptables-legacy"
    if [ -z "$burst" ]; then
        $t -A INPUT -p udp -m statistic --mode random --probability "$loss" -j DROP
        return
    fi
    # Two states kept in a mark of the interface's own list: in "bad" each packet is lost. Leaving it has a chance of 1/burst.
    local enter leave
    leave=$(awk "BEGIN { print 1 / $burst }")
    enter=$(awk "BEGIN { print $loss / ((1 - $loss) * $burst) }")
    $t -N GOOD && $t -N BAD
    $t -A INPUT -p udp -m recent --name road --rsource --rcheck -j BAD
    $t -A INPUT -p udp -j GOOD
    $t -A BAD -m statistic --mode random --probability "$leave" -m recent --name road --rsource --remove -j ACCEPT
    $t -A BAD -j DROP
    $t -A GOOD -m statistic --mode random --probability "$enter" -m recent --name road --rsource --set -j DROP
}
if [ "$loss" != 0 ]; then drop "$a"; drop "$b"; fi

ip netns exec "$a" "$PYTHON" "$here/peer.py" --host 10.79.0.1 --voice "$voice" --seconds "$seconds" --keep "$work" >"$work/peer.log" 2>&1 &
peer=$!
for _ in $(seq 200); do
    grep -q ready "$work/peer.log" && break
    sleep 0.1
done
ip netns exec "$b" "$PYTHON" "$here/stacks.py" "$stack" --url http://10.79.0.1:7900 --voice "$voice" --seconds "$((seconds + 4))" \
    --keep "$work" >"$work/stack.log" 2>&1 || tail -n 3 "$work/stack.log" >&2
for _ in $(seq 50); do
    [ -f "$work/up.npy" ] && break
    sleep 0.1
done
"$PYTHON" "$here/score.py" "$work" --stack "$stack" --loss "$loss" ${burst:+--burst "$burst"}
