"""The demo: a whole conversation in a simulated room, with its recordings, figures and picture."""
