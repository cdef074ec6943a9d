"""Benchmarks: ratios of paired runs, interleaved on the same servers, so that a noisy machine disturbs both alike."""
