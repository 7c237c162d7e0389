"""The baseline of accepting: a bare view that inserts one row."""
