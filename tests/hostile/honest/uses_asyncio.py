# /// check
# verdict = ["passed"]
# ///
import asyncio


async def slowly(x):
    await asyncio.sleep(0.001)
    return x * x


def f(x):
    return asyncio.run(slowly(x))
