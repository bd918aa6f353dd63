"""What the longer commands of ``spike-engine`` do."""
