# /// check
# verdict = ["memory"]
# limits = {memory_bytes = 268435456}
# ///
def f(x):
    text = "x"
    while True:
        text *= 2
