# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f([$root, $project, $stdlib, $numpy])"]
# ///
import os


def f(directories):
    made = []
    ours = os.getcwd()
    for path in ["/", "/tmp", "/var/tmp", "/dev/shm", "/usr", "/usr/lib", "/etc", *directories]:
        if os.path.realpath(path) == ours:
            continue
        for make in (os.mkdir, os.mkfifo, lambda name: os.symlink("/", name)):
            try:
                make(f"{path}/planted")
                made.append(path)
            except OSError:
                pass
    return made
