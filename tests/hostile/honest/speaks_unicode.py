# /// check
# verdict = ["passed"]
# tests = ["assert größe('ß🎉') == 2", "assert größe('e\\u0301') == 2"]
# entry_point = "größe"
# ///
def größe(текст):
    長さ = len(текст)
    return 長さ
