"""The endpoints of tests/localazure, for contracts that need one."""

from tests.localazure.conftest import serve

__all__ = ["serve"]
