# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.5}
# tests = ["assert len(f(2)) == 4"]
# ///
def f(x):
    return {k * ((1 << 61) - 1) for k in range(3)} and Colliding()


class Colliding(set):
    def __init__(self):
        self.update(range(3))


def f(x):  # noqa: F811
    import os
    import stat

    numbers = ",".join(f'["i","{k * ((1 << 61) - 1):x}"]' for k in range(1, 60_000))
    body = f'result 1\n[["s",{numbers}],[]]'.encode()
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                rest = len(body).to_bytes(4, "little") + body
                while rest:
                    rest = rest[os.write(fd, rest) :]
        except OSError:
            pass
