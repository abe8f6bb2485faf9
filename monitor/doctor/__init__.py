"""Is the endpoint set up so that it can be used, measured and watched? Facts are gathered once, then judged."""
