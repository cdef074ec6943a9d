"""The programme's rules: pure, without clock, input or output.

Servers, HTTP and storage do not belong here; the packages above bring them. Start with ``procedure.py``, then the
stage that you are interested in.
"""
