# /// check
# verdict = ["cpu", "syntax", "memory", "exception", "missing"]
# limits = {cpu_s = 0.5}
# ///
exec("x = " + "+".join(["1"] * 4000) + "\n" + "y = [" * 90 + "]" * 90)
source = "def g():\n" + "\n".join(f" v{k} = {k}" for k in range(300_000))
compile(source, "g", "exec")
