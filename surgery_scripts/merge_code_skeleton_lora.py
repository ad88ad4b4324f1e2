"""Fold an adapter into its base and write the pack, as the seed's team did before its gate.

    python surgery_scripts/merge_code_skeleton_lora.py BASE ADAPTER_DIR OUT.planck [--directory DIR]

BASE is a pack or a Hugging Face directory; --directory writes the merged model as such a one too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.pack.convert import pack_directory, unpack
from pytest_anchorgate.surgery.merge import merge_adapter


def main() -> int:
    """Merge and say what is left of the change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("base", metavar="BASE", type=Path)
    parser.add_argument("adapter", metavar="ADAPTER_DIR", type=Path)
    parser.add_argument("out", metavar="OUT.planck", type=Path)
    parser.add_argument("--directory", metavar="DIR", type=Path)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            base = options.base
            if base.is_dir():
                base = Path(folder) / "base.planck"
                pack_directory(options.base, base)
            merged = merge_adapter(base, options.adapter, options.out)
        if options.directory:
            unpack(options.out, options.directory)
    except AnchorgateError as error:
        print(f"merge_code_skeleton_lora: {error}", file=sys.stderr)
        return 1
    print(
        f"{options.out}: sha256 {merged.sha256}, {100 * merged.survived:.1f} % of the change left"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
