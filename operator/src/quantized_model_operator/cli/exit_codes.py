"""What `qm` exits with, as scripts and CI rely on it."""

FITS = 0
"""Everything asked about works."""

ERROR = 1
"""The question could not be answered: wrong use, no such file, no cluster, no hub."""

REFUSED = 2
"""The question was answered, and the answer is no."""
