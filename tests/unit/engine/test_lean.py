from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.architectures import KINDS, logits

LEAN = """
import json, sys
from pytest_anchorgate.engine.lean import lean_imports
with lean_imports():
    from tests.architectures import KINDS, logits
    found = {name: logits(name) for name in KINDS}
left = {name for name in ("scipy", "torch._dynamo", "torch.distributed.tensor")
        if sys.modules.get(name)}
import scipy, torch._dynamo, torch.distributed.tensor
there = [torch.distributed.is_available(), torch._dynamo.disable(len) is not len]
print(json.dumps([found, sorted(left), there]))
"""


def test_lean_imports_change_no_logit_and_hide_nothing_afterwards() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", LEAN], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, left, there = json.loads(done.stdout)
    assert left == []
    assert there == [True, True]
    assert found == {name: logits(name) for name in KINDS}
