# /// check
# verdict = ["passed"]
# ///
import sys


def f(x):
    return x * x


def main():
    sys.exit(f(2))


if __name__ == "__main__":
    main()
