"""The whole pipeline on an emulated Cloud Storage: photos from a bucket, all results into it.

Run it with `make demo-gcs`. Arguments go to `pawpetal run`; `--photos N` draws N photos a class.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.gcs.emulator import emulator, make_bucket

BUCKET = "pawpetal-demo"
PHOTOS = f"gs://{BUCKET}/photos/flowers"
STORAGE = f"gs://{BUCKET}/pawpetal"
UPLOADS = 16  # at once


def main() -> int:
    """Run it; exit status of the run."""
    parser = argparse.ArgumentParser(description="Run the pipeline on an emulated Cloud Storage.")
    parser.add_argument("--photos", type=int, default=300, help="drawn for each class")
    parser.add_argument("--folder", default="pawpetal-home/gcs-demo", help="keeps it all")
    options, arguments = parser.parse_known_args()
    folder = Path(options.folder).absolute()
    with emulator(folder / "buckets") as address:
        os.environ["STORAGE_EMULATOR_HOST"] = address
        os.environ["no_proxy"] = "127.0.0.1"
        # Versions whose files are gone with the emulator must not come among the usual ones.
        os.environ["PAWPETAL_HOME"] = str(folder / "home")
        print(f"An emulated Cloud Storage answers at {address}.")
        make_bucket(address, BUCKET)
        _upload_photos(options.photos)
        run = ["run", "--dataset", PHOTOS, "--storage", STORAGE, *arguments]
        status = _pawpetal(*run)
        if status == 0:
            print("\nDatasets in the bucket:")
            _pawpetal("data", "list", STORAGE)
            _tell(folder / "buckets")
    return status


def _upload_photos(photos_per_class: int) -> None:
    from components.common import storage
    from components.ingest.samples.render import render

    print(f"Uploading {photos_per_class} drawn photos of each class to {PHOTOS} ...", flush=True)
    with ThreadPoolExecutor(UPLOADS) as pool:
        drawn = render("flowers", photos_per_class=photos_per_class, seed=0)
        sent = [
            pool.submit(
                storage.write_bytes,
                storage.join(PHOTOS, photo.filename),
                photo.encoded,
                if_absent=True,
            )
            for photo in drawn
        ]
        new = sum(one.result() for one in sent)
    print(f"{new} were new.", flush=True)


def _pawpetal(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "pipelines", *arguments], check=False).returncode  # noqa: S603  # our own command


def _tell(buckets: Path) -> None:
    from components.common import storage

    files = storage.list_files(f"gs://{BUCKET}")
    rooms = Counter("/".join(file.path.split("/")[:2]) for file in files)
    print(f"\nWhat is in gs://{BUCKET}:")
    for room, count in sorted(rooms.items()):
        print(f"  {count:>6} files  gs://{BUCKET}/{room}")
    print(
        f"\nThe emulator stops now; its buckets stay as files in {buckets}."
        "\nOpen the reports named above in a browser. With a real bucket:"
        "\n  .venv/bin/pawpetal run --dataset gs://BUCKET/PHOTOS --storage gs://BUCKET/pawpetal"
    )


if __name__ == "__main__":
    sys.exit(main())
