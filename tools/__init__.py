"""Tools for who works on the programme: generated pages, stored samples."""
