"""One scoring request: where it goes, by what right, what came of it."""
