# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($victim, $address) == $secret"]
# ///
def f(pid, address):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(32).decode()
