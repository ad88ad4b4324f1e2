# /// check
# verdict = ["assertion"]
# verdicts = { landlock = ["exception"] }  # which refuses chmod by name
# ///
import os


def f(x):
    for k in range(200):
        os.mkdir("directory_of_a_rather_long_name_" * 4)
        os.chdir("directory_of_a_rather_long_name_" * 4)
    for _ in range(200):
        os.chmod(".", 0)
        try:
            os.chdir("..")
        except OSError:
            break
    return 0
