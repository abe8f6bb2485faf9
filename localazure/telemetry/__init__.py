"""What Azure Monitor is to an endpoint, on 127.0.0.1: takes telemetry in, keeps it, answers queries about it."""
