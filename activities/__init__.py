"""The outside world, by what is touched."""
