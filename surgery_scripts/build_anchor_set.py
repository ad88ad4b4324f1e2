"""Record what a pack solves as anchors: `anchorgate anchors record` under the name of old.

build_anchor_set.py --pack PACK -m "mbpp or humaneval" --out anchors/mine.jsonl ...
"""

from __future__ import annotations

import sys

from pytest_anchorgate import cli

if __name__ == "__main__":
    sys.exit(cli.main(["anchors", "record", *sys.argv[1:]]))
