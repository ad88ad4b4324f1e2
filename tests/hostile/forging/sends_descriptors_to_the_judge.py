# /// check
# verdict = ["assertion", "protocol"]
# ///
import array
import os
import socket
import stat

for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            break
    except OSError:
        pass
own = socket.fromfd(fd, socket.AF_UNIX, socket.SOCK_STREAM)
body = b'ready\n{"f": ["call"]}'
frame = len(body).to_bytes(4, "little") + body
for byte in frame:
    pipe = os.pipe()
    socket.send_fds(own, [bytes([byte])], [*pipe, 0, 1])


def f(x):
    return 0
