"""Locustfiles are for Locust's own process: importing one here would make gevent patch the process of the tests."""

collect_ignore = ["impatient.py", "impatient_search.py", "one_hold.py"]
