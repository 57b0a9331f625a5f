"""Names of the container images that the steps run in: the one place that knows them.

A tag is never `latest`: caches and `kind load` both go wrong on a tag that moves.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("pawpetal")
except PackageNotFoundError as error:
    raise ImportError(
        "pawpetal must be installed, so that images carry its version: run `make setup`, or"
        " `pip install -e .`"
    ) from error

CPU = f"pawpetal-cpu:{VERSION}"  # TensorFlow and Keras: every step that touches photos
LIGHT = f"pawpetal-light:{VERSION}"  # no TensorFlow: registries, schedules, compiling
