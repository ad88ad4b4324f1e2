# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# tests = ["assert next(f(2)) == 4"]
# ///
def f(x):
    while True:
        if x == 7:
            yield x
