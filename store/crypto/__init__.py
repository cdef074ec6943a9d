"""Keys and signatures: keys for each stream, the master key, Standard Webhooks signatures.

Start with ``keys.py``.
"""
