"""A2A (Agent2Agent): for now the card by which an agent tells what it can do."""
