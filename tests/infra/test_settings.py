import yaml

from infra.kind import settings


def test_images_are_those_that_the_compiled_spec_names():
    spec, *_ = yaml.safe_load_all(settings.SPEC.read_text())
    executors = spec["deploymentSpec"]["executors"].values()

    assert settings.images() == sorted({each["container"]["image"] for each in executors})
    assert settings.images()


def test_a_variable_says_other_images(monkeypatch):
    monkeypatch.setenv("PAWPETAL_IMAGES", "b:2 a:1")

    assert settings.images() == ["b:2", "a:1"]


def test_settings_read_as_the_shell_reads_them():
    assert settings.versions()["KFP_VERSION"] == "2.17.0"
    assert all(name.isupper() and value for name, value in settings.versions().items())
    assert not any(set(value) & set(" '\"$") for value in settings.versions().values())
