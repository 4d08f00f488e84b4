"""What we know: arithmetic, tables and frozen values; standard library only."""
