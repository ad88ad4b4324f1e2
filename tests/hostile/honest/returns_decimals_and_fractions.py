# /// check
# verdict = ["passed"]
# setup = "from decimal import Decimal\nfrom fractions import Fraction"
# tests = ["assert f() == (Decimal('0.10'), Fraction(1, 3))", "assert str(f()[0]) == '0.10'"]
# ///
from decimal import Decimal
from fractions import Fraction


def f():
    return Decimal("0.10"), Fraction(2, 6)
