"""What runs inside Locust: plain Locust files and the parts they share."""
