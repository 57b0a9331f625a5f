"""Compiles the train step for TPUs that are not here, and says what it needs of them.

`python -m components.train.tpu_check` runs it, in a process of its own: the backend of Keras is
chosen once a process. `topology`, `report` and `search` are light.
"""
