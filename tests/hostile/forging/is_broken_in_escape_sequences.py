# /// check
# verdict = ["protocol", "exception"]
# ///
import json
import os
import stat

text = "\x1b[2J\x1b]0;passed\x07\u202e\ud800\r\n" * 500
said = {"kind": "raised", "exception": text, "where": text, "frames": [[1, text]] * 50}
body = b"broken\n" + json.dumps(said).encode()
for fd in range(3, 64):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.write(fd, len(body).to_bytes(4, "little") + body)
    except OSError:
        pass
