"""What the figures are drawn with."""
