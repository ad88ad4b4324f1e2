# /// check
# verdict = ["exception"]
# reason = "File too large"
# limits = {file_bytes = 1048576}
# ///
def f(x):
    with open("f", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
