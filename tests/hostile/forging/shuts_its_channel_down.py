# /// check
# verdict = ["exit", "protocol", "wall"]
# limits = {cpu_s = 0.5, wall_s = 0.6}
# ///
import os
import socket
import stat


def f(x):
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_WR)
        except OSError:
            pass
    return x * x
