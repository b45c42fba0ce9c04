"""The cell: one experiment × estimator × scale, its seeds trained side by side, kept in one folder."""
