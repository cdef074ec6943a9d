"""Holds one program for whoever launched it, and ends it when the launcher ends, even by `kill -9`.

Run as `python -I -S leash.py SIGNALS GRACE ACCOUNT PROGRAM ARGUMENT…`. Only the launcher holds the other end of our
standard input: when that closes, on purpose or because the launcher is gone, the signals are sent in turn with GRACE
seconds after each, then the whole group is killed. The program's pid is told on standard output; its own output goes
to our standard error. ACCOUNT is `uid:gid`, or empty. Standard library only, so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys


def main(signals: str, grace: str, account: str, *command: str) -> int:
    wake = wake_on_signals()
    with hold(command, account) as child:
        os.write(1, f"{child.pid}\n".encode())
        os.close(1)
        if not ended_by_itself(child, wake):
            end(child, signals.split(","), float(grace))
        return child.returncode if child.returncode >= 0 else 128 - child.returncode


def wake_on_signals() -> socket.socket:
    """A socket that becomes readable when the child ends or somebody asks us to."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    signal.set_wakeup_fd(theirs.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return ours


def hold(command: tuple[str, ...], account: str) -> subprocess.Popen[bytes]:
    if not account:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, stderr=2)
    uid, gid = map(int, account.split(":"))
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, stderr=2, user=uid, group=gid, extra_groups=[])


def ended_by_itself(child: subprocess.Popen[bytes], wake: socket.socket) -> bool:
    while child.poll() is None:
        ready, _, _ = select.select([0, wake.fileno()], [], [])
        if 0 in ready and not os.read(0, 64):
            return False
        if wake.fileno() in ready and set(wake.recv(64)) - {signal.SIGCHLD}:
            return False
    return True


def end(child: subprocess.Popen[bytes], signals: list[str], grace: float) -> None:
    for name in signals:
        child.send_signal(getattr(signal, name))
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            continue
        return
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
