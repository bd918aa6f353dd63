"""What the persona looks like."""
