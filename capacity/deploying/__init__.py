"""Files for systemd, containers, Kubernetes, GitHub Actions and Jenkins, filled in for what redline.toml says."""
