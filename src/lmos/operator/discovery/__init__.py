"""Asking agents what they can do: where, when, and what their documents mean."""
