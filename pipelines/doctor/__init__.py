"""Everything that would fail later, found now: one line a check, with the command that mends it."""
