"""The SavedModel of a trained model: written under TensorFlow, whatever trained it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras

from components.common.errors import TrainingError


def export(model: keras.Model, file: Path, folder: Path) -> None:
    """Write the SavedModel.

    Args:
        model: The trained one.
        file: Where it was saved as a .keras file, which another backend reads as well.
        folder: To write.

    Raises:
        TrainingError: If a process of its own was needed, and failed.
    """
    if keras.backend.backend() == "tensorflow":
        model.export(folder, verbose=False)
        return
    kept = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-m", __name__, str(file), str(folder)],
        env={**kept, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise TrainingError(
            f"The SavedModel could not be written to '{folder}': {done.stderr.strip()[-400:]}"
        )


def main() -> None:
    """Export what the command line names: file, then folder."""
    file, folder = sys.argv[1:]
    export(keras.saving.load_model(file, compile=False), Path(file), Path(folder))


if __name__ == "__main__":
    main()
