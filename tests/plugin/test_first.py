from __future__ import annotations
def test_gate(project):
    result, report = project.gate()
    print(report)
    assert result.ret == 0
