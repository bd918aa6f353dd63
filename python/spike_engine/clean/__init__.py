"""Recordings without their noise and their echo: what ``spike-engine clean`` runs, for programs."""

from spike_engine.clean.audio_file import UnusableAudio
from spike_engine.clean.cleaning import CleanedFile, CleaningOptions, clean_file

__all__ = ["CleanedFile", "CleaningOptions", "UnusableAudio", "clean_file"]
