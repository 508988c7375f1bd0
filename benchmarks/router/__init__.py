"""Figures are those of one thread: BLAS would else use all cores, and lose time where others use them too."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
