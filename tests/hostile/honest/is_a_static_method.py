# /// check
# verdict = ["passed"]
# tests = ["assert f(2) == 4"]
# ///
class Tools:
    @staticmethod
    def square(x):
        return x * x


f = Tools.square
