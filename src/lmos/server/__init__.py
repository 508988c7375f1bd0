"""ASGI: composes runtime, operator API and agents' surfaces into one application."""
