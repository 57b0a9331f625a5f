"""Runs in an image, from stdin: prints what is true there, as JSON."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

SITE = Path(next(path for path in sys.path if path.endswith("site-packages")))


def without_bytecode():
    """Sources that Python would compile again at each start."""
    return [
        str(source)
        for source in SITE.rglob("*.py")
        if not has_bytecode(source) and compiles(source)
    ]


def has_bytecode(source):
    compiled = Path(importlib.util.cache_from_source(str(source)))
    if not compiled.is_file():
        return False
    with compiled.open("rb") as file:
        head = file.read(16)
    seconds, size = (int.from_bytes(head[at : at + 4], "little") for at in (8, 12))
    stat = source.stat()
    return (seconds, size) == (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)


def compiles(source):
    try:
        compile(source.read_bytes(), str(source), "exec")
    except (SyntaxError, ValueError):  # templates, and tests of parsers
        return False
    return True


def error_of(statement):
    try:
        exec(statement, {})  # noqa: S102  # an import statement of ours
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return {"status": done.returncode, "text": done.stdout + done.stderr}


commands = {"help": output_of("pawpetal", "--help")}
if importlib.util.find_spec("tensorflow") is None:  # where one compiles; steps' kfp cannot
    commands["check"] = output_of("pawpetal", "compile", "--check")
os.environ["_KFP_RUNTIME"] = "true"  # as the spec's commands set it
imports = {
    statement: error_of(statement)
    for statement in (
        "import kfp",
        "from kfp.dsl import *",
        "import kfp.dsl.executor_main",
        *json.loads(sys.argv[1]),
    )
}
print(
    json.dumps(
        {
            "user": [os.getuid(), os.getgid()],
            "groups": os.getgroups(),
            "home": str(Path.home()),
            "environment": dict(os.environ),
            "distributions": sorted(
                f"{found.name}=={found.version}"
                for found in importlib.metadata.distributions(path=[str(SITE)])
            ),
            "without_bytecode": without_bytecode(),
            "imports": imports,
            "missing": [
                name
                for name in ("kubernetes", "numpy", "pip", "setuptools", "tensorflow")
                if importlib.util.find_spec(name) is None
            ],
            "commands": commands,
        }
    )
)
