# /// check
# verdict = ["passed"]
# ///
import io
import json
import re
import zipfile


def f(x):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", json.dumps({"x": [x] * x}))
    with zipfile.ZipFile(file) as archive:
        numbers = re.findall(r"\d+", archive.read("x.json").decode())
    return sum(map(int, numbers))
