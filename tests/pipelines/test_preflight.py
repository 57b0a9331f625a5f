import pytest

from components.common.errors import InputError, RegistryError
from components.common.registry import open_registry
from pipelines.preflight import prepare
from pipelines.specs import parameters
from pipelines.targets.local import LocalTarget


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "home"))


def pipeline_arguments(pipeline, **changed):
    return {parameter.name: parameter.default for parameter in parameters(pipeline)} | changed


def prepare_here(given):
    return prepare(given, LocalTarget())


def arguments(**changed):
    defaults = {parameter.name: parameter.default for parameter in parameters("train_and_push")}
    return defaults | changed


def test_the_defaults_pass_and_are_completed():
    prepared = prepare_here(arguments())

    assert prepared["dataset"] == "sample:flowers"
    assert prepared["dataset_fingerprint"]
    assert prepared["code_version"].startswith("0.")
    assert prepared["weights_fingerprint"] == ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architecture": "residul"}, "Did you mean 'residual'?"),
        ({"augmentation": "hevy"}, "Did you mean 'heavy'?"),
        ({"dataset": "sample:flower"}, "Did you mean 'sample:flowers'?"),
        ({"dataset": "flowers"}, "must be sample:NAME, tfds:NAME, folder:PATH, archive:PATH or gs"),
        ({"dataset": "folder:/no/such/place"}, "No such folder: '/no/such/place'"),
        ({"data_dir": "/data"}, "`data_dir` goes with tfds: datasets"),
        ({"dataset": "archive:/no/such.zip"}, "/no/such.zip"),
        ({"data_policy": "stric"}, "Did you mean 'strict'?"),
        ({"storage": "/dev/null/below"}, "`storage` must be a folder that can be written to"),
        ({"image_size": 16}, "`image_size` must be from 32 to 1024"),
        ({"image_size": 5000}, "`image_size` must be from 32 to 1024"),
        ({"test_fraction": 0.2}, "must sum to 1. Received: train_fraction=0.7"),
        ({"test_fraction": 0.0, "train_fraction": 0.85}, "Each fraction must be above 0"),
        ({"epochs": -1}, "`epochs` must be from 0 to 10000. Received: -1"),
        (
            {"checkpoint_seconds": -1.0},
            "`checkpoint_seconds` must be from 0 to 86400. Received: -1.0",
        ),
        ({"device": "cuda"}, "`device` must be one of auto, cpu, gpu, tpu. Received: 'cuda'"),
        ({"optimizer": "adam"}, "Did you mean 'adamw'?"),
        ({"batch_size": -1}, "`batch_size` must be from 0 to 65536. Received: -1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be from 0 to 10. Received: nan"),
        ({"min_accuracy": 95.0}, "`min_accuracy` must be from 0 to 1. Received: 95.0"),
        ({"model_name": "../x"}, "`model_name` must start with a letter or digit"),
        ({"registry": "vertex:x"}, "`registry` must be empty"),
        ({"weights": "imagenet"}, "no ImageNet weights for architecture 'residual'"),
        ({"weights": "model.pkl"}, "ends with .weights.h5 or .keras"),
        ({"augmentation": "mixup", "weights": "a.weights.h5"}, "'mixup' mixes photos and labels"),
        (
            {
                "augmentation": "mixup",
                "architecture": "transfer:MobileNetV2",
                "weights": "imagenet",
            },
            "'mixup' mixes photos and labels anew in every epoch, but a network that starts from"
            " weights is frozen and sees few copies. Pass `weights` none",
        ),
        ({"augmentation": "cutmix", "architecture": "transfer:MobileNetV2"}, "Pass `weights` none"),
        ({"augmented_copies": 2}, "`augmented_copies` are for a network that starts from weights"),
        (
            {"augmented_copies": 2, "augmentation": "none", "architecture": "transfer:MobileNetV2"},
            "`augmented_copies` must be 0 with `augmentation` none",
        ),
        ({"augmented_copies": -1}, "`augmented_copies` must be from 0 to 100. Received: -1"),
        ({"augmented_copies": 101}, "`augmented_copies` must be from 0 to 100. Received: 101"),
        ({"weights": "/no/such.weights.h5"}, "`weights` must name a file that exists"),
        ({"fine_tune_epochs": 2}, "`fine_tune_epochs` is for a network that starts frozen"),
        ({"loss_weighting": "fixed"}, "`loss_weighting` is for architecture 'two_output'"),
        ({"warm_start": "3"}, "'flowers' has no version"),
        ({"warm_start": "/no/such/model"}, "`warm_start` must name a folder that holds a complete"),
        ({"architecture": "inception_reference"}, "`max_memory_gib`"),
    ],
)
def test_what_cannot_work_is_refused_before_any_step(changed, message):
    with pytest.raises(InputError) as caught:
        prepare_here(arguments(**changed))

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("augmentation", ["mixup", "cutmix", "color", "erasing", "randaugment"])
def test_any_augmentation_may_train_a_whole_network(augmentation):
    assert prepare_here(arguments(augmentation=augmentation))["augmentation"] == augmentation


def test_copies_may_be_written_for_a_network_that_starts_from_weights(tmp_path):
    from components.train.architectures import find_architecture

    file = tmp_path / "own.weights.h5"
    find_architecture("residual").build_backbone(64).save_weights(file)

    prepared = prepare_here(arguments(weights=str(file), augmented_copies=3))

    assert prepared["augmented_copies"] == 3


def test_weights_of_another_network_are_refused(tmp_path):
    import keras

    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    file = tmp_path / "other.weights.h5"
    network.save_weights(file)

    with pytest.raises(InputError, match="`weights` must fit architecture 'residual'"):
        prepare_here(arguments(weights=str(file)))


def test_a_bare_folder_is_told_how_to_be_passed(tmp_path):
    with pytest.raises(InputError, match=f"pass folder:{tmp_path}"):
        prepare_here(arguments(dataset=str(tmp_path)))


def test_a_relative_folder_becomes_absolute(photo_folder, monkeypatch):
    folder = photo_folder({"cat": 2, "dog": 2})
    monkeypatch.chdir(folder.parent)

    prepared = prepare_here(arguments(dataset=f"folder:{folder.name}"))

    assert prepared["dataset"] == f"folder:{folder}"


def test_a_home_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "file" / "home"))

    with pytest.raises(InputError, match="cannot be written to"):
        prepare_here(arguments())


def test_datasets_are_kept_at_home_where_nothing_else_is_said(tmp_path):
    assert prepare_here(arguments())["storage"] == str(tmp_path / "home")


def test_a_relative_storage_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert prepare_here(arguments(storage="kept"))["storage"] == str(tmp_path / "kept")


def test_a_bucket_that_cannot_be_written_to_is_refused_before_any_step(gcs):
    with pytest.raises(InputError, match="no-such-bucket"):
        prepare_here(arguments(storage="gs://no-such-bucket/pawpetal"))


def test_a_bare_archive_is_told_how_to_be_passed(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"")

    with pytest.raises(InputError, match=f"pass archive:{tmp_path}/photos.zip"):
        prepare_here(arguments(dataset=str(tmp_path / "photos.zip")))


def test_a_folder_named_like_a_word_for_weights_is_no_weights(tmp_path, monkeypatch):
    (tmp_path / "auto").mkdir()
    monkeypatch.chdir(tmp_path)

    assert prepare_here(arguments())["weights"] == "auto"


def test_a_dataset_whose_name_no_registry_takes_needs_a_model_name(photo_folder):
    folder = photo_folder({"cat": 2, "dog": 2}, name="photos:2024")

    with pytest.raises(InputError, match="the dataset's name"):
        prepare_here(arguments(dataset=f"folder:{folder}"))
    assert prepare_here(arguments(dataset=f"folder:{folder}", model_name="pets"))


@pytest.mark.parametrize(
    ("registry", "error", "message"),
    [
        ("mlflow:http://me:secret@host", InputError, "must hold no user name or password"),
        ("mlflow:sqlite:///here.db", InputError, "by an absolute path"),
        ("mlflow:nonsense://x", RegistryError, "The registry cannot do this"),
        ("mlflow:http://127.0.0.1:9", RegistryError, "The registry cannot do this"),
    ],
)
def test_a_registry_that_does_not_answer_is_refused_before_any_step(registry, error, message):
    with pytest.raises(error, match=message):
        prepare_here(arguments(registry=registry))


@pytest.mark.parametrize(
    ("pipeline", "changed", "message"),
    [
        ("sweep", {"architectures": "residual,residul"}, "Did you mean 'residual'?"),
        ("sweep", {"architectures": "residual,"}, "`architectures` must be items by commas"),
        ("sweep", {"image_sizes": "64,x"}, "`image_sizes` must be whole numbers by commas"),
        ("sweep", {"alpha": 0.1}, "for 'residual', 'inception', 'dense'. Leave it out"),
        ("curriculum", {"curriculum": "sample:pets,sample:pets"}, "name each dataset once"),
        ("curriculum", {"curriculum": "sample:pets,folder:/no"}, "No such folder: '/no'"),
        ("retrain", {"min_gain": 2.0}, "`min_gain` must be from 0 to 1. Received: 2.0"),
    ],
)
def test_what_cannot_work_in_other_pipelines_is_refused_too(pipeline, changed, message):
    with pytest.raises(InputError) as caught:
        prepare_here(pipeline_arguments(pipeline, **changed))

    assert message in str(caught.value)


def test_a_setting_that_one_candidate_of_a_sweep_looks_at_is_taken():
    given = {"architectures": "residual,two_output", "alpha": 0.1}

    assert prepare_here(pipeline_arguments("sweep", **given))["alpha"] == 0.1


def test_a_first_retraining_has_no_champion_and_starts_anew():
    prepared = prepare_here(pipeline_arguments("retrain"))

    assert prepared["warm_start"] == "champion"
    assert prepared["weights_fingerprint"] == ""


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """A registry in which flowers has a champion."""
    root = tmp_path_factory.mktemp("registry")
    uri, folder = f"mlflow:sqlite:///{root}/registry.db", root / "model"
    folder.mkdir()
    (folder / "model.keras").write_bytes(b"network")
    registry = open_registry(uri)
    labels = {"split": "train 0.7 validation 0.15 test 0.15, seed 0"}
    version = registry.register("flowers", folder, digest="d", metrics={}, labels=labels)
    registry.set_alias(version, "champion")
    return uri


def test_a_run_goes_on_from_the_champion_of_now_and_a_schedule_from_that_of_each_time(champion):
    given = pipeline_arguments("retrain", registry=champion)

    once = prepare_here(given)
    recurring = prepare(given, LocalTarget(), is_recurring=True)

    assert (once["warm_start"], recurring["warm_start"]) == ("flowers/1", "champion")
    assert once["weights_fingerprint"].startswith("flowers/1 ")
    assert once["dataset_fingerprint"]
    assert (recurring["dataset_fingerprint"], recurring["weights_fingerprint"]) == ("", "")
    assert recurring["code_version"] == once["code_version"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": -1}, "`epochs` must be from 0"),
        ({"dataset": "sample:flower"}, "Did you mean 'sample:flowers'?"),
        ({"split_seed": 1}, "must be those of the model to go on from"),
    ],
)
def test_arguments_of_a_schedule_are_checked_as_those_of_a_run(champion, changed, message):
    given = pipeline_arguments("retrain", registry=champion, **changed)

    with pytest.raises(InputError) as caught:
        prepare(given, LocalTarget(), is_recurring=True)

    assert message in str(caught.value)


def test_the_datasets_of_a_curriculum_all_count_for_the_cache():
    given = {"curriculum": "sample:pets,sample:flowers"}

    both = prepare_here(pipeline_arguments("curriculum", **given))["dataset_fingerprint"]

    assert len(both.split()) == 2
