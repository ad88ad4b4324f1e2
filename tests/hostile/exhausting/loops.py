# /// check
# verdict = ["cpu"]
# reason = "used more than 0.3 s of CPU time"
# limits = {cpu_s = 0.3}
# ///
def f(x):
    while True:
        pass
