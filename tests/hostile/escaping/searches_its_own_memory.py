# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($secret[:8]) == $secret"]
# ///
import gc


def f(beginning):
    for thing in gc.get_objects():
        for value in gc.get_referents(thing):
            if type(value) is str and value.startswith(beginning) and len(value) == 32:
                return value
            if type(value) is bytes and beginning.encode() in value:
                start = value.index(beginning.encode())
                return value[start : start + 32].decode(errors="replace")
    return ""
