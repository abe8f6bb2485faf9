"""A first redline.toml: from a workspace and a name, from YAML of Azure ML, or from an address."""
