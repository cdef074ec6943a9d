"""Keys and signatures: keys for each stream, the master key, Standard Webhooks signatures.

Which fields are encrypted is declared on the events, in ``domain``. Start with ``keys.py``.
"""
