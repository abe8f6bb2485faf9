"""A stand-in for Azure on 127.0.0.1 that shares no code with its clients."""
