"""Where the devices of a conversation meet WebRTC: microphone, camera and loudspeaker, and what comes from the AI."""
