# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os


def f(path):
    fd = os.memfd_create("cat", 0)
    os.write(fd, open("/bin/cat", "rb").read())
    own, other = os.pipe()
    if os.fork() == 0:
        os.dup2(other, 1)
        os.execve(fd, ["cat", path], {})
    os.close(other)
    os.wait()
    return os.read(own, 100).decode()
