# /// check
# verdict = ["assertion", "exception"]
# tests = ["assert 'anchorgate' in f($project)"]
# ///
def f(project):
    return open(f"{project}/pyproject.toml").read()
