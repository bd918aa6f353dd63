"""What addresses say: of conversations, of proxies, of STUN and TURN servers."""
