# /// check
# verdict = ["assertion", "exception"]
# ///
import builtins

build = builtins.__build_class__


def patched(function, name, *bases, **kwargs):
    made = build(function, name, *bases, **kwargs)
    made.__eq__ = lambda self, other: True
    return made


builtins.__build_class__ = patched
builtins.__import__ = lambda *args, **kwargs: None


def f(x):
    return 0
