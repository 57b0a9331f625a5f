"""Print the secret with the credentials of the registry, for `kubectl apply`.

It holds those of the variables below that are set; the steps read them from there. Values go
through a pipe, never over a command line, which other people of the machine could read.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from infra.kind.settings import versions

VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def manifest() -> dict[str, Any]:
    """The secret as Kubernetes wants it; without data where no variable is set."""
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    wanted = versions()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": wanted["SECRET"], "namespace": wanted["NAMESPACE"]},
        "type": "Opaque",
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in given.items()},
    }


if __name__ == "__main__":
    print(json.dumps(manifest()))
