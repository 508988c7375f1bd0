"""The `lmos` command. Imports lazily: a command pays only for what it uses."""
