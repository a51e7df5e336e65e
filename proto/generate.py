"""Writes plugin/stillpoint/wire/generated from the .proto files beside this one (`make proto`).

`--output DIR` writes elsewhere, which is how a test finds drift.
"""

import argparse
import re
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).parent
PACKAGE = "stillpoint.wire.generated"
HEADER = "# Written by `make proto`; change the .proto file instead.\n"


def generate(output: Path) -> None:
    """Compile every .proto file into modules of `stillpoint.wire.generated`, below `output`.

    Raises:
        SystemExit: protoc refused; it has printed why.
    """
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("*/*.proto"))
    output.mkdir(parents=True, exist_ok=True)
    well_known = files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={output}",
                 f"--pyi_out={output}", f"--grpc_python_out={output}"]  # fmt: skip
    if protoc.main([*arguments, *sources]) != 0:
        raise SystemExit("protoc failed")
    for folder in (output, *(output / path.name for path in PROTO.iterdir() if path.is_dir())):
        if folder.exists():
            (folder / "__init__.py").write_text("")
    for module in output.glob("*/*.py*"):
        module.write_text(_as_package(module.read_text()))


def _as_package(source: str) -> str:
    """Protoc imports `velero.x` from the top of sys.path; ours lives in a package."""
    source = re.sub(r"^from (velero|goplugin)\b", rf"from {PACKAGE}.\1", source, flags=re.MULTILINE)
    return HEADER + source if source else source


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = PROTO.parent / "plugin" / "stillpoint" / "wire" / "generated"
    parser.add_argument("--output", type=Path, default=default)
    generate(parser.parse_args().output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
