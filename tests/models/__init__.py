"""Plain Python models that the caches are compared with."""
