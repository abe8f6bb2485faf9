"""Scheduled health checks: what is asked, what it means, when people are told, and that it is told."""
