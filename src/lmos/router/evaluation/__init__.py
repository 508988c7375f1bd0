"""Measures a router on labelled data, and examines a roster before customers do: what `lmos router` does."""
