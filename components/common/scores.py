"""The figures by which a model is known wherever it goes: reports, registries, summaries."""

SCORES = ("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "loss")
