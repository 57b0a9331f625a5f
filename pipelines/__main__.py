"""`python -m pipelines` is `pawpetal`."""

from pipelines.cli import main

main()
