"""What a program that speaks to its judge begins with: a frame to every socket that it has."""

from __future__ import annotations

import os
import stat


def send(body):
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                rest = len(body).to_bytes(4, "little") + body
                while rest:
                    rest = rest[os.write(fd, rest) :]
        except OSError:
            pass
