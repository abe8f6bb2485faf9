"""Why requests failed: rules over what every source told, pure."""

from monitor.diagnosis.conclusion import diagnose

__all__ = ["diagnose"]
