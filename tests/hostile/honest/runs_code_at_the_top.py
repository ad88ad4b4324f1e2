# /// check
# verdict = ["passed"]
# ///
import sys

table = {}
for key in range(10):
    table[key] = key * key
else:
    del key
assert "sys" in globals() and sys.argv


def f(x):
    return table[x]


if __name__ != "__main__":
    print("imported")
