"""The ingest step, as Kubeflow Pipelines sees it; and a share of it, where many work on it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def ingest(
    dataset: str,
    photos: dsl.Output[dsl.Dataset],
    data_report: dsl.Output[dsl.HTML],
    findings: dsl.Output[dsl.Artifact],
    data_dir: str = "",
    storage: str = "",
    data_policy: str = "warn",
    shares: list[int] = [],  # noqa: B006  # kfp reads the default, nobody changes it
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Check labelled photos and copy them into sharded TFRecords, bytes unchanged.

    Args:
        dataset: Where the photos are: sample:NAME, tfds:NAME, folder:PATH, archive:PATH or
            gs://BUCKET/PREFIX.
        photos: The dataset: TFRecord shards, an index and a manifest that lists what was left out.
        data_report: A page of what is in the photos, and of what may spoil them.
        findings: The same as JSON.
        data_dir: Where TensorFlow Datasets keeps its data; for tfds: only.
        storage: Local or gs:// folder that keeps datasets by their content; empty keeps each with
            its run.
        data_policy: What stops the run: warn (only a class without a usable photo), strict
            (whatever may spoil training), or off (as warn, and photos are not decoded).
        shares: Photos that each worker has prepared, where there are workers.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from pathlib import Path

    from components.ingest.ingest import Order, ingest_photos

    order = Order(
        dataset=dataset,
        data_dir=data_dir,
        root=storage,
        policy=data_policy,
        code_version=code_version,
    )
    manifest = ingest_photos(
        order, Path(photos.path), page=Path(data_report.path), data=Path(findings.path)
    )
    photos.metadata.update(
        name=manifest.name,
        num_photos=manifest.num_photos,
        digest=manifest.digest,
        num_classes=len(manifest.classes),
        num_rejected=len(manifest.rejected),
    )


@dsl.component(base_image=images.CPU, packages_to_install=[], install_kfp_package=False)
def ingest_share(
    dataset: str,
    worker: int,
    num_workers: int,
    storage: str,
    data_dir: str = "",
    data_policy: str = "warn",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> int:
    """Check and copy one worker's share of the photos; ingest then joins the shares.

    Args:
        dataset: Where the photos are.
        worker: Which worker this is, from 0.
        num_workers: How many there are.
        storage: gs:// folder that all workers reach.
        data_dir: Where TensorFlow Datasets keeps its data; for tfds: only.
        data_policy: As for ingest.
        dataset_fingerprint: Changes when the photos behind the URI change; part of the cache key.
        code_version: Version of the step's code; part of the cache key.
    """
    from components.ingest.ingest import Order
    from components.ingest.ingest import ingest_share as prepare

    order = Order(
        dataset=dataset,
        data_dir=data_dir,
        root=storage,
        policy=data_policy,
        code_version=code_version,
    )
    return prepare(order, worker=worker, num_workers=num_workers)
