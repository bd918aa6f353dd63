#!/bin/bash
# lossy.sh STACK LOSS SECONDS VOICE [BURST] [JITTER_MS]: a voice both ways between a peer of libwebrtc's and STACK (spike_engine,
# aiortc or wrtc) in two network namespaces, between which relay.py loses a share of LOSS of the packets each way. Prints JSON lines.
#
# VOICE is a recording. Losses come in bursts of the mean length BURST, and each packet up to JITTER_MS later. Needs root, iproute2
# (Debian), and PYTHON: an interpreter with spike_engine, wrtc, aiohttp, soundfile, soxr, scipy, pesq and speechmos, or one for each
# part: PEER_PYTHON (wrtc), STACK_PYTHON, SCORE_PYTHON.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stack=$1 loss=$2 seconds=$3 voice=$4 burst=${5:-1} jitter_ms=${6:-0}
peer_python=${PEER_PYTHON:-$PYTHON} stack_python=${STACK_PYTHON:-$PYTHON} score_python=${SCORE_PYTHON:-$PYTHON}
work=$(mktemp -d)
a=road-a-$$ b=road-b-$$ running=()
cleanup() {
    [ ${#running[@]} = 0 ] || kill "${running[@]}" 2>/dev/null || true
    ip netns del "$a" 2>/dev/null || true
    ip netns del "$b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

until_ready() { # the log $1
    for _ in $(seq 200); do
        grep -q ready "$1" && return
        sleep 0.1
    done
    cat "$1" >&2
}

ip netns add "$a"
ip netns add "$b"
"$peer_python" "$here/relay.py" "$a=10.79.0.1" "$b=10.79.0.2" --loss "$loss" --burst "$burst" --jitter-ms "$jitter_ms" >"$work/relay.log" 2>&1 &
running+=($!)
until_ready "$work/relay.log"
ip netns exec "$a" "$peer_python" "$here/peer.py" --host 10.79.0.1 --voice "$voice" --seconds "$seconds" --keep "$work" >"$work/peer.log" 2>&1 &
running+=($!)
until_ready "$work/peer.log"
ip netns exec "$b" "$stack_python" "$here/stacks.py" "$stack" --url http://10.79.0.1:7900 --voice "$voice" --seconds "$((seconds + 4))" \
    --keep "$work" >"$work/stack.log" 2>&1 || tail -n 3 "$work/stack.log" >&2
for _ in $(seq 50); do
    [ -f "$work/up.npy" ] && break
    sleep 0.1
done
"$score_python" "$here/score.py" "$work" --stack "$stack" --loss "$loss" --burst "$burst" --jitter-ms "$jitter_ms"
