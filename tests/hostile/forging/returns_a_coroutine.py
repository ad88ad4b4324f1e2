# /// check
# verdict = ["not-plain"]
# ///
async def f(x):
    return x * x
