# /// check
# verdict = ["passed"]
# ///
import logging
import warnings

logging.basicConfig(level=logging.DEBUG)


def f(x):
    warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
    logging.getLogger(__name__).warning("x is %s", x)
    return x * x
