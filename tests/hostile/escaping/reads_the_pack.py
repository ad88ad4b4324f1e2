# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert f($pack_path) == $secret"]
# ///
import mmap
import os


def f(path):
    with mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ) as mapped:
        return bytes(mapped).decode()
