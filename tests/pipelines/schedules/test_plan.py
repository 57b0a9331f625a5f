"""Which changes make what is there be as it is wanted."""

from __future__ import annotations

from dataclasses import replace

from pipelines.schedules import Live, Settings
from pipelines.schedules.plan import CREATE, MOVE, PRUNE, SAME, UPDATE, Difference, plan

NIGHTLY = Settings(
    name="nightly",
    pipeline="retrain",
    cron="0 3 * * *",
    place={"on": "local"},
    parameters={"dataset": "gs://acme/photos", "epochs": 3},
)


def live(settings: Settings) -> Live:
    return Live(settings=settings, id=settings.name)


def test_what_is_not_there_is_created():
    (change,) = plan([NIGHTLY], [])

    assert (change.kind, change.name, change.settings) == (CREATE, "nightly", NIGHTLY)


def test_what_is_as_wanted_stays():
    (change,) = plan([NIGHTLY], [live(NIGHTLY)])

    assert (change.kind, change.differences) == (SAME, ())


def test_every_field_and_parameter_that_differs_is_told():
    parameters = {"dataset": "gs://acme/photos", "epochs": 4, "storage": "gs://b"}
    wanted = replace(NIGHTLY, cron="0 4 * * *", version="v2", parameters=parameters)

    (change,) = plan([wanted], [live(NIGHTLY)])

    assert change.kind == UPDATE
    assert set(change.differences) == {
        Difference(field="cron", before="0 3 * * *", after="0 4 * * *"),
        Difference(field="version", before="", after="v2"),
        Difference(field="parameters.epochs", before=3, after=4),
        Difference(field="parameters.storage", before=None, after="gs://b"),
    }


def test_a_parameter_that_goes_is_told():
    wanted = replace(NIGHTLY, parameters={"dataset": "gs://acme/photos"})

    (change,) = plan([wanted], [live(NIGHTLY)])

    assert change.differences == (Difference(field="parameters.epochs", before=3, after=None),)


def test_what_is_not_in_the_file_is_to_be_pruned():
    (change,) = plan([], [live(NIGHTLY)])

    assert (change.kind, change.settings) == (PRUNE, NIGHTLY)


def test_what_another_scheduler_shall_fire_is_moved_until_it_is_paused_here():
    paused = replace(NIGHTLY, paused=True)

    assert [change.kind for change in plan([], [live(NIGHTLY)], {"nightly"})] == [MOVE]
    assert [change.kind for change in plan([], [live(paused)], {"nightly"})] == [PRUNE]


def test_changes_come_sorted_by_name():
    other, third = replace(NIGHTLY, name="a-first"), replace(NIGHTLY, name="zebra")

    changes = plan([third, NIGHTLY], [live(other)])

    assert [change.name for change in changes] == ["a-first", "nightly", "zebra"]
