# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($pack_path)"]
# ///
def f(path):
    with open(path, "ab") as file:
        file.write(b"planted")
    return True
