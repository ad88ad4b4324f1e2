# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($stream)"]
# ///
import socket


def f(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return bool(connection.send(b"x"))
