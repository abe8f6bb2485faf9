"""How much the endpoint can take: goals, search, statistics, verdict."""
