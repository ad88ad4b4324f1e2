# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
import os
import stat


def f(path):
    for fd in range(64):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            return open(os.open(path.lstrip("/"), os.O_RDONLY, dir_fd=fd)).read()
        if stat.S_ISREG(mode):
            try:
                os.lseek(fd, 0, 0)
                return os.read(fd, 100).decode()
            except OSError:
                continue
    return ""
