# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert $secret in f($pytest, $victim)"]
# ///
def f(*pids):
    found = ""
    for pid in (*pids, 1):
        for name in ("environ", "cmdline"):
            try:
                found += open(f"/proc/{pid}/{name}", errors="replace").read()
            except OSError as error:
                found += str(error)
    return found
