"""Groups of commands that cli.py mounts: parse, call, render, exit code."""
