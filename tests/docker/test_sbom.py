import json
import re

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from .conftest import NAMES, checked


@pytest.mark.parametrize("name", NAMES)
def test_the_list_names_everything_in_the_image(
    name, images, details, facts, load, tmp_path, monkeypatch
):
    file = tmp_path / "sbom.json"
    sbom = load("sbom")
    monkeypatch.setattr("sys.argv", ["sbom.py", images[name], "-o", str(file)])

    assert sbom.main() == 0

    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed = json.loads(text)
    subject = listed["metadata"]["component"]
    assert f"{subject['name']}:{subject['version']}" == images[name]
    assert subject["properties"] == [{"name": "docker:image:id", "value": details[name]["Id"]}]
    purls = [each["purl"] for each in listed["components"]]
    assert len(purls) == len(set(purls))
    assert _of(purls, "pypi") >= {_normal(each) for each in facts[name]["distributions"]}
    assert len(_of(purls, "generic")) == 1  # Python itself
    if name == "light":
        query = ["dpkg-query", "-W", "-f", "${Package}@${Version}\n"]
        packages = checked("docker", "run", "--rm", images[name], *query).splitlines()
        assert {each.replace("%2B", "+") for each in _of(purls, "deb/debian")} == set(packages)
        assert sbom.sbom(images[name])[0] == text  # the same image, the same bytes


def test_an_image_that_is_not_there_is_refused(images, load):
    with pytest.raises(RuntimeError, match=r"`docker image inspect ...` failed: .*pawpetal-none"):
        load("sbom").sbom("pawpetal-none:0")


def _of(purls, kind):
    """NAME@VERSION of the packages of a kind."""
    found = (re.fullmatch(rf"pkg:{kind}/([^?]+)(?:\?.*)?", purl) for purl in purls)
    return {match[1].replace("%3A", ":") for match in found if match}


def _normal(requirement):
    name, _, version = requirement.partition("==")
    return f"{name.replace('_', '-').lower()}@{version}"
