# /// check
# verdict = ["exception"]
# reason = "not allowed to raise maximum limit"
# ///
import resource


def f(x):
    for which in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_AS):
        resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return x * x
