"""Keys and signatures: the keys of each stream, the master key, and Standard Webhooks signatures.

Which fields are encrypted is declared on the events, in ``domain``. Start with ``keys.py``.
"""
