"""Service logs of every generation: lines to requests, exceptions, events and leaks, as functions of bytes."""
