"""Whole corpora of speech, cleaned and scored batch by batch: for Ray Data, datasets, Dask or a plain loop."""

from spike_engine.corpus.cleaner import Cleaner
from spike_engine.corpus.scorer import Scorer

__all__ = ["Cleaner", "Scorer"]
