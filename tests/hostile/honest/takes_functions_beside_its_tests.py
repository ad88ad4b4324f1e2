# /// check
# verdict = ["passed"]
# together = true
# tests = ["assert f(lambda x: x + 1, 2)(3) == 5"]
# ///
def f(function, times):
    def repeated(x):
        for _ in range(times):
            x = function(x)
        return x

    return repeated
