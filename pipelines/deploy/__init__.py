"""Carries compiled specs to where they run, and knows what is there."""
