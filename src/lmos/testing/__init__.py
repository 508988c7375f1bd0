"""For users' tests and ours: scripted model, fake agents and model servers, in-memory platform, virtual clock."""
