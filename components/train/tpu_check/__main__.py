"""One check, as a process: progress and the finding on stdout, for `pawpetal tpu-check` to read."""

from __future__ import annotations

import argparse
import os
import sys

from components.common.errors import PawpetalError
from components.common.progress import report_result
from components.train.tpu_check.report import Request

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",  # needs no TPU: nothing is computed
    "TPU_SKIP_MDS_QUERY": "1",  # nor a server that tells about one
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # nor a lock on one, which two checks would fight for
}


def main() -> int:
    """Read the request, check it, print what was found.

    Returns:
        2 where the request cannot be met, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m components.train.tpu_check")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--image-size", type=int, default=0)
    parser.add_argument("--global-batch", type=int, required=True)
    parser.add_argument("--topology", required=True)
    parser.add_argument("--num-classes", type=int, default=5)
    parser.add_argument("--largest-batch", action="store_true")
    os.environ.update(ENVIRONMENT)
    try:
        request = Request(**vars(parser.parse_args()))
        from components.train.tpu_check.check import check

        report_result(check(request).plain())
    except PawpetalError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
