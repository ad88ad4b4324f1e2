# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim)"]
# ///
import resource


def f(pid):
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    resource.prlimit(pid, resource.RLIMIT_NPROC, (1, 1))
    return True
