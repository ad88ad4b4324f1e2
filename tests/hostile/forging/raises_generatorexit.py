# /// check
# verdict = ["exception"]
# reason = "GeneratorExit"
# ///
raise GeneratorExit
