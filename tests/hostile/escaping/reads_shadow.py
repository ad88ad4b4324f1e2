# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert 'root' in f()"]
# ///
def f():
    return open("/etc/shadow").read()
