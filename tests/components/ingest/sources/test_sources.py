import pytest

from components.common.errors import InputError
from components.ingest.sources import open_source


@pytest.mark.parametrize(
    "uri", ["flowers", "/data/flowers", "s3://bucket/x", "gs:bucket", "", "folder:", "archive:"]
)
def test_other_uris_are_refused_with_the_forms_that_are_known(uri):
    with pytest.raises(
        InputError,
        match=r"`dataset` must be sample:NAME, tfds:NAME, folder:PATH, archive:PATH or gs://BUCKET",
    ) as caught:
        open_source(uri)
    assert str(caught.value).endswith(f"Received: '{uri}'")


@pytest.mark.parametrize(
    "uri", ["sample:flowers", "folder:/data", "archive:a.zip", "gs://bucket/photos"]
)
def test_a_data_dir_goes_with_tfds_only(uri):
    with pytest.raises(
        InputError, match=rf"`data_dir` goes with tfds: .*Received: dataset='{uri}'"
    ):
        open_source(uri, "/data/tfds")
