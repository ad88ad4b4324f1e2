# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f()"]
# ///
import urllib.request


def f():
    return bool(urllib.request.urlopen("http://192.0.2.1/", timeout=1))
