# /// check
# verdict = ["passed"]
# tests = ["assert f([1, 2]) == 'pair 3' and f({'k': 5}) == 'mapping 5' and f(7) == 'other 8'"]
# ///
def f(x):
    match x:
        case [a, b]:
            return f"pair {a + b}"
        case {"k": value}:
            return f"mapping {value}"
    if (y := x + 1) > 0:
        return f"other {y}"
