"""The road between two network namespaces: IP in user space, where packets of UDP get lost or come late.

It prints "ready" and runs until it is ended. Needs root, Linux with TUN devices, and iproute2.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import random
import struct
import subprocess

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
UDP = 17
MTU = 1500


class Way:
    """One direction of the road.

    Args:
        loss: Share of packets.
        burst: Mean length of losses in a row; 1 for losses that know nothing of each other (E. N. Gilbert, "Capacity of
            a burst-noise channel", Bell System Technical Journal 39, 1960).
        jitter_s: Up to so much delay for each packet, in the order in which they came, as a queue has it.
        seed: Of the chance.
    """

    def __init__(self, *, loss: float, burst: float, jitter_s: float, seed: int) -> None:
        self._chance = random.Random(seed)
        self._leave = 1 / burst if burst > 1 else 1 - loss
        self._enter = loss / (1 - loss) / burst if burst > 1 else loss
        self._jitter_s = jitter_s
        self._is_bad = False
        self._free_at_s = 0.0

    def arrival_s(self, now_s: float) -> float | None:
        """When a packet that is sent now arrives; None: never."""
        stays = self._chance.random() >= self._leave if self._is_bad else self._chance.random() < self._enter
        self._is_bad = stays
        if self._is_bad:
            return None
        self._free_at_s = max(self._free_at_s, now_s + self._jitter_s * self._chance.random())
        return self._free_at_s


def end_in(namespace: str, address: str) -> int:
    """A TUN device in `namespace` with `address`; its descriptor."""
    name = f"road{os.getpid()}"[:15]
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip link set {name} netns {namespace}",
        f"ip -n {namespace} addr add {address}/24 dev {name}",
        f"ip -n {namespace} link set lo up",
        f"ip -n {namespace} link set {name} up",
    ):
        subprocess.run(command.split(), check=True)
    return device


def carry(loop: asyncio.AbstractEventLoop, source: int, target: int, way: Way) -> None:
    """Take the packets of one end to the other."""

    def on_readable() -> None:
        packet = os.read(source, MTU)
        now_s = loop.time()
        arrival_s = way.arrival_s(now_s) if packet[0] >> 4 == 4 and packet[9] == UDP else now_s
        if arrival_s is None:
            return
        if arrival_s <= now_s:
            os.write(target, packet)
        else:
            loop.call_at(arrival_s, os.write, target, packet)

    loop.add_reader(source, on_readable)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ends", nargs=2, help="NAMESPACE=ADDRESS")
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    options = parser.parse_args()
    here, there = (end_in(*end.split("=")) for end in options.ends)
    loop = asyncio.get_running_loop()
    for seed, source, target in ((1, here, there), (2, there, here)):
        chances = {"loss": options.loss, "burst": options.burst, "jitter_s": options.jitter_ms / 1000}
        carry(loop, source, target, Way(**chances, seed=seed))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
