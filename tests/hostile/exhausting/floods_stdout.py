# /// check
# verdict = ["flood"]
# reason = "printed more than 1 MiB"
# limits = {output_bytes = 1048576}
# ///
def f(x):
    while True:
        print("x" * 10_000)
