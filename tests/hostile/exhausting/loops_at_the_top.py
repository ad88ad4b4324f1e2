# /// check
# verdict = ["cpu"]
# limits = {cpu_s = 0.3}
# ///
while True:
    pass
