# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($tcp)"]
# ///
import socket


def f(port):
    with socket.create_connection(("::ffff:127.0.0.1", port), timeout=1) as connection:
        return bool(connection.send(b"x"))
