"""How well people agree with people."""
