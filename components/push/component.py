"""The push step, as Kubeflow Pipelines sees it."""

from kfp import dsl

from components.common import images


@dsl.component(base_image=images.LIGHT, packages_to_install=[], install_kfp_package=False)
def push(
    model: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    pushed: dsl.Output[dsl.Artifact],
    registry: str = "",
    storage: str = "",
    dataset_fingerprint: str = "",
    code_version: str = "",
) -> None:
    """Register a model that passed the gate; it becomes champion where it beats the old one.

    Args:
        model: The model to register.
        evaluation: Its scores on the test photos.
        pushed: The registered version and the verdict, as pushed.json.
        registry: Which registry: empty for the one of this machine, mlflow:TRACKING_URI or
            vertex:PROJECT/REGION.
        storage: Where the files of a version go if it is a gs:// folder and the registry is a
            database file; else the registry keeps them in its own place.
        dataset_fingerprint: Changes when the photos behind the URI change.
        code_version: Version of the step's code, recorded with the model.
    """
    from dataclasses import asdict
    from pathlib import Path

    from components.push.push import push_model

    result = push_model(
        Path(model.path),
        Path(evaluation.path),
        Path(pushed.path),
        registry=registry,
        root=storage,
        code_version=code_version,
    )
    pushed.metadata.update(asdict(result))
