# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret_path) == $secret"]
# ///
def f(path):
    return open("../" * 30 + path.lstrip("/")).read()
