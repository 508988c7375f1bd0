"""Text to vectors. `base` holds the port; each other module is one variant."""
