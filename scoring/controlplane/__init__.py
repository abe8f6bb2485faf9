"""What Azure's own APIs say of an endpoint: ARM for online endpoints, model management for web services of SDK v1."""
