"""Graphs of steps, the targets they run on, and the command line. No machine learning here."""
