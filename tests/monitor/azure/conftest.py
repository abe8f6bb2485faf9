"""The endpoints of tests/localazure, for questions about them."""

from tests.localazure.conftest import serve

__all__ = ["serve"]
