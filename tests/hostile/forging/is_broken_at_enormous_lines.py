# /// check
# verdict = ["protocol", "exception"]
# ///
import os
import stat

huge = b"9" * 4000
body = b'broken\n{"kind":"raised","line":%b,"test":%b,"span":-1,"program_line":%b,' % ((huge,) * 3)
body += b'"frames":[[%b,"x"],[-%b,"y"]],"exception":"E","where":"nowhere"}' % (huge, huge)
for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, len(body).to_bytes(4, "little") + body)
    except OSError:
        pass
