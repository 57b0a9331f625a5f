"""The ingest step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def ingest(
    dataset: str,
    photos: dsl.Output[dsl.Dataset],
    data_dir: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Copy labelled photos into sharded TFRecords, bytes unchanged; list the unusable ones.

    Args:
        dataset: Where the photos are: sample:NAME, tfds:NAME, folder:PATH or gs://BUCKET/PREFIX.
        photos: The dataset: TFRecord shards and a manifest.
        data_dir: Where TensorFlow Datasets keeps its data; for tfds: only.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.ingest.ingest import ingest_photos

    manifest = ingest_photos(dataset, Path(photos.path), data_dir=data_dir)
    photos.metadata.update(
        name=manifest.name,
        num_photos=manifest.num_photos,
        digest=manifest.digest,
        num_classes=len(manifest.classes),
        num_rejected=len(manifest.rejected),
    )
