"""What LMOS costs, measured. `python -m benchmarks [NAME ...]` runs, keeps the raw runs and prints a table.

A figure is the median of several runs in one session; a comparison measures both sides in turn in the same session.
Nothing here is a test: no figure decides whether the build passes.
"""
