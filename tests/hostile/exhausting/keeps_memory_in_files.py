# /// check
# verdict = ["exception", "cpu"]
# limits = {cpu_s = 2.0, file_bytes = 16777216}
# tiers = ["namespaces"]
# why = "elsewhere the working directory lies on the disk, which nobody counts"
# ///
def f(x):
    for k in range(40):
        with open(f"f{k}", "wb") as file:
            file.write(bytes(16 << 20))
    return x * x
