"""Pawpetal's own scheduler: a small service that starts runs, and what it knows in one SQLite file.

`store` keeps schedules and firings, `due` says which times have come, `new_data` looks at photos,
`launch` and `runner` start runs and see how they end, `service` brings it together.
"""
