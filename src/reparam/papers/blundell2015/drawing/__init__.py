"""What blundell2015's figures draw, by subject."""
