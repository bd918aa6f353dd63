"""spike_engine: talk with an AI over WebRTC, with the echo and the noise taken out."""
