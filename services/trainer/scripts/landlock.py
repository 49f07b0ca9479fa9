"""Confines a process to parts of the file system, where the kernel (Linux 5.13) can.

What the process starts is confined too, and nothing can undo it. A confined process without
capabilities cannot look into others either (their environment, their memory), nor, from Linux 6.12,
send them signals.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECUREBITS = 38, 28
# The user root is nobody special, also after starting another program; locked.
_NO_ROOT = 0b101111
_CAPABILITY_VERSION = 0x20080522

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# Number of rights that a version of the interface knows; later ones know all.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_RIGHTS = 16
_SCOPES_SINCE = 6
_SCOPES = 0b11  # abstract sockets and signals


class LandlockError(OSError):
    """The kernel refused."""


def version() -> int:
    """Return the version of the kernel's interface; 0: it has none."""
    if sys.platform != "linux":
        return 0
    found = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(int(found), 0)


def drop_capabilities() -> None:
    """Give up what root may do beyond other users, if this process is root's.

    Raises:
        LandlockError: The kernel refused.
    """
    if os.geteuid():
        return
    libc = _libc()
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    # A container's root may lack the right to change this; then it has no others to give up either.
    libc.prctl(_PR_SET_SECUREBITS, _NO_ROOT, 0, 0, 0)
    if libc.capset(header, bytes(24)):
        raise LandlockError(ctypes.get_errno(), "capset")


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Confine this process to these files and folders with what is below them.

    Paths that do not exist are left out.

    Raises:
        LandlockError: The kernel refused; call it only where ``version`` is not 0.
    """
    known = version()
    rights = (1 << _RIGHTS.get(known, _ALL_RIGHTS)) - 1
    scopes = _SCOPES if known >= _SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", rights, 0, scopes)
    # Older kernels know the first field only, and take no longer structure.
    size = len(attributes) if known >= _SCOPES_SINCE else 8
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    try:
        for paths, wanted in ((readable, _READ), (writable, rights)):
            for path in paths:
                _allow(ruleset, path, wanted & rights)
        libc = _libc()
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise LandlockError(ctypes.get_errno(), "prctl")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, wanted: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            wanted &= _ON_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", wanted, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise LandlockError(ctypes.get_errno(), f"landlock call {number}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
