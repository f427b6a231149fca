"""Which network the processes of a training talk through."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import MutableMapping

CHOSEN = "GLOO_SOCKET_IFNAME"


def choose_interface(environment: MutableMapping[str, str]) -> None:
    """Let gloo use the network interface through which the first machine is reached, unless the user has chosen one.

    Left alone, gloo takes the address that the machine's own name resolves to, which on many machines is that of the
    loopback: other machines are told to connect to themselves.
    """
    if CHOSEN in environment or sys.platform != "linux":
        return
    if environment.get("LOCAL_WORLD_SIZE") == environment["WORLD_SIZE"]:
        environment[CHOSEN] = "lo"  # one machine, whatever networks it is in
        return
    name = _interface_of(_own_address(environment["MASTER_ADDR"]))
    if name is not None:
        environment[CHOSEN] = name


def _own_address(other: str) -> str | None:
    """Return the address of this machine that another one sees; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((other, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None  # no such name or no IPv4: gloo chooses as it can


def _interface_of(address: str | None) -> str | None:
    if address is None or sys.platform != "linux":
        return None
    import fcntl

    ask_for_address = 0x8915  # SIOCGIFADDR
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, ask_for_address, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # it has no address
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None
