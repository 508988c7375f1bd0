"""What the project is built and tested with, and its users never get: nothing in `src/` imports it."""
