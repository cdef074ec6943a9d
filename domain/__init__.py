"""The programme's rules: pure, with no clock and no input or output."""
